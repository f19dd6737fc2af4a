"""`stepdbg TARGET` and `stepdbg run --headless TARGET`: make a session and start the target in it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from stepdbg.commands.headless import end_likewise, run_target
from stepdbg.commands.target import find_target
from stepdbg.errors import UsageError
from stepdbg.hub.breakpoint_text import parse
from stepdbg.hub.launch import Launch, start_hub


def need_terminal() -> None:
    """Make sure that there is a terminal to draw on.

    Raises:
        UsageError: there is none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("stdin and stdout must be a terminal; without one use `stepdbg run --headless TARGET`")
    if os.environ.get("TERM") == "dumb":
        raise UsageError("TERM=dumb cannot show a screen; use another, or `stepdbg run --headless TARGET`")


def start_session(
    words: Sequence[str], *, python: str | None = None, breaks: Sequence[str] = (), readonly: bool = False
) -> Path:
    """Start hub and target; returns the folder of the session, to which a screen may connect at once.

    Raises:
        UsageError: the target cannot run, there is no terminal, or no place for the session.
    """
    breakpoints = tuple(parse(text) for text in breaks)
    target = find_target(words, python)
    need_terminal()
    size = shutil.get_terminal_size()
    return start_hub(
        Launch(
            target.argv,
            target.script,
            os.getcwd(),
            breakpoints,
            readonly=readonly,
            columns=max(20, size.columns),
            rows=max(5, size.lines),
        )
    )


def run_headless(
    words: Sequence[str], *, python: str | None = None, breaks: Sequence[str] = (), readonly: bool = False
) -> int:
    """Run the target freely as our own child, with our stdin, stdout and stderr; a breakpoint met stops it.

    Returns:
        The target's exit status. Where a signal ended it, the same signal ends this process too.

    Raises:
        UsageError: the target cannot run, or there is no place for the session.
    """
    breakpoints = tuple(parse(text) for text in breaks)
    target = find_target(words, python)
    launch = Launch(
        target.argv, target.script, os.getcwd(), breakpoints, go="continue", readonly=readonly, terminal=False
    )
    return end_likewise(run_target(target, launch))
