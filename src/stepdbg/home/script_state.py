"""What is kept of a script from one session to the next: breakpoints, watches, the layout, the console's history.

The file is for people to read: a breakpoint stands in it as it is written on the command line. Edits are not kept.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from stepdbg.errors import SettingsError, UsageError
from stepdbg.home.toml_files import read_toml, write_toml
from stepdbg.protocol.breakpoint_text import describe, parse
from stepdbg.protocol.messages import Breakpoint, Watch
from stepdbg.protocol.watch_text import read_watch

FORMAT = 1
"""The number of the file's format; one is added where an older stepdbg would misread what a newer one has written."""
MOST_HISTORY = 500
"""Lines of the console that are kept, the newest."""


class ScriptState(Struct, frozen=True):
    """What is kept of one script."""

    breakpoints: tuple[Breakpoint, ...] = ()
    """Without numbers and hits: those are the session's."""
    panels: tuple[str, ...] = ()
    """As they were gone to, the one in front first."""
    zoomed: bool = False
    theme: str = ""
    """Textual's name of it, where the user has chosen one for this script; else empty."""
    history: tuple[str, ...] = ()
    """Lines of the console, oldest first."""
    watches: tuple[Watch, ...] = ()
    """Without numbers and problems: those are the session's."""


class _Point(msgspec.Struct, forbid_unknown_fields=True):
    at: str
    enabled: bool = True


class _Watched(msgspec.Struct, forbid_unknown_fields=True):
    expression: str
    enabled: bool = True


class _Layout(msgspec.Struct):
    panels: tuple[str, ...] = ()
    zoomed: bool = False
    theme: str = ""


class _Console(msgspec.Struct):
    history: tuple[str, ...] = ()


class _File(msgspec.Struct):
    """The file's shape."""

    script: str = ""
    format: int = FORMAT
    breakpoints: tuple[_Point, ...] = ()
    watches: tuple[_Watched, ...] = ()
    layout: _Layout = msgspec.field(default_factory=_Layout)
    console: _Console = msgspec.field(default_factory=_Console)


def read_state(path: Path) -> tuple[ScriptState, str]:
    """What is kept in that file, and a remark for the user where it could not be read.

    A broken file is set aside under the name `….broken`, one of a newer stepdbg as `….newer`, so that nothing in it is
    lost.
    """
    try:
        document = read_toml(path)
        number = document.get("format", FORMAT)
        if type(number) is int and number > FORMAT:
            what = f"was written by a newer stepdbg (format {number}; this one reads {FORMAT})"
            return ScriptState(), f"what was kept of this script {what}; it is set aside as {_set_aside(path, 'newer')}"
        return _state(document), ""
    except (SettingsError, msgspec.ValidationError, UsageError) as error:
        aside = _set_aside(path, "broken")
        return ScriptState(), f"what was kept of this script cannot be read ({error}); it is set aside as {aside}"
    except OSError as error:
        return ScriptState(), f"what was kept of this script cannot be read: {path} ({error.strerror})"


def _set_aside(path: Path, how: str) -> Path:
    aside = path.with_name(f"{path.name}.{how}")
    with contextlib.suppress(OSError):
        os.replace(path, aside)
    return aside


def write_state(path: Path, state: ScriptState, script: str) -> None:
    """Keep that.

    Raises:
        OSError: it cannot be written.
    """
    document: dict[str, Any] = {"script": script, "format": FORMAT}
    if state.breakpoints:
        document["breakpoints"] = [_document(one) for one in state.breakpoints]
    if state.watches:
        document["watches"] = [_document_of_watch(one) for one in state.watches]
    layout = {"panels": list(state.panels), "zoomed": state.zoomed}
    document["layout"] = {**layout, "theme": state.theme} if state.theme else layout
    if state.history:
        document["console"] = {"history": list(state.history[-MOST_HISTORY:])}
    comment = (
        "What stepdbg keeps of this script. It may be edited while no session of it is open, and deleted at any time;\n"
        "`stepdbg --fresh` begins without it."
    )
    write_toml(path, document, comment)


def _document(breakpoint: Breakpoint) -> dict[str, Any]:
    at = {"at": describe(breakpoint)}
    return at if breakpoint.enabled else {**at, "enabled": False}


def _document_of_watch(watch: Watch) -> dict[str, Any]:
    kept = {"expression": watch.expression}
    return kept if watch.enabled else {**kept, "enabled": False}


def _state(document: dict[str, Any]) -> ScriptState:
    """The state that a file says.

    Raises:
        ValidationError: something in it has the wrong type; says where.
        UsageError: a breakpoint or a watch cannot be understood.
    """
    file = msgspec.convert(document, _File)
    points = [msgspec.structs.replace(parse(point.at), enabled=point.enabled) for point in file.breakpoints]
    watches = [Watch(0, read_watch(watch.expression), watch.enabled) for watch in file.watches]
    layout, history = file.layout, file.console.history[-MOST_HISTORY:]
    return ScriptState(tuple(points), tuple(layout.panels), layout.zoomed, layout.theme, tuple(history), tuple(watches))
