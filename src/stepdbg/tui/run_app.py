"""From the command line to the screen and back: settings, plain characters where they must be, the exit status."""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from textual.theme import BUILTIN_THEMES

from stepdbg.home.folders import config_file
from stepdbg.printable import printable
from stepdbg.terminal_size import terminal_size
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.settings.config import read_config
from stepdbg.tui.settings.terminal_abilities import why_plain


def run_app(
    folder: Path,
    *,
    ascii_only: bool = False,
    notices: Sequence[str] = (),
    guided: bool = False,
    at_first_frame: Callable[[], None] = lambda: None,
) -> int:
    """Open the screen on the session in `folder`, and stay until the user leaves it.

    Args:
        folder: The session's.
        ascii_only: Draw with plain characters, whatever the settings say.
        notices: What is to be told first.
        guided: Show the hints for newcomers.
        at_first_frame: Called when the user has something to look at.

    Returns:
        The exit status: 0, 2 when there is no such session, or 128 and the number of the signal that ended it.
    """
    config = read_config(config_file(), BUILTIN_THEMES)
    if not ascii_only and config.ascii is None and (why := why_plain(os.environ, _encoding())):
        ascii_only, notices = True, (*notices, why)
    app = StepdbgApp(folder, ascii_only=ascii_only, config=config, notices=notices, guided=guided)

    def begin() -> None:
        at_first_frame()
        _collect_again()

    app.at_first_frame = begin
    status = app.run(size=terminal_size())
    app.script_state_store.close()
    if app.left:
        from stepdbg.tui.words.last_words import last_words

        sys.stderr.write(last_words(app.snapshot))
    if app.return_code == 128 + signal.SIGTERM and not app.farewell and not app.snapshot.over:
        name = app.snapshot.session.name
        app.farewell = (
            f"terminated, training stays as it is; `stepdbg attach {name}` comes back, `stepdbg stop {name}` ends it"
        )
    if app.farewell:
        sys.stderr.write(f"stepdbg: {printable(app.farewell)}\n")
    if app.return_code:
        return app.return_code
    return status or 0


def _collect_again() -> None:
    """What was imported stays: the collector never looks through it."""
    gc.freeze()
    gc.enable()


def _encoding() -> str:
    """How the screen is written to the terminal."""
    from stepdbg.tui.terminal.driver import screen_stream

    return screen_stream().encoding
