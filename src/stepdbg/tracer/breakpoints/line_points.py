"""Breakpoints on lines: in which file each one is, and whether there is anything at its line."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType, ModuleType
from typing import Any

from stepdbg.listing.nearest import did_you_mean
from stepdbg.listing.source_lines import lines_with_code, no_code
from stepdbg.protocol.breakpoint_text import describe
from stepdbg.protocol.messages import Breakpoint
from stepdbg.tracer.introspect import stack as frames

_VARIABLES: Any = vars(ModuleType)["__dict__"]
"""Gives the variables of a module without asking the module, which may be an object that loads at a look."""


class LinePoints:
    """The breakpoints on lines that are switched on, by file and line.

    A file is written as a path from the folder that the process was started in, or as the end of its path: `train.py`,
    `models/net.py`. Where a file lies right at that path, it is that one; else all of the user's whose path ends so.
    """

    def __init__(self) -> None:
        self.changed: Callable[[], object] = lambda: None
        """Is called when other lines are waited for than before."""
        self._folder = _current_folder()
        self._points: tuple[Breakpoint, ...] = ()
        self._by_line: dict[str, dict[int, list[Breakpoint]]] = {}
        """The breakpoints of the files that were asked for, by the name that code objects bear."""
        self._ambiguous = False
        """Whether a file has come that is called like another one, which a breakpoint is on."""
        self._paths: dict[str, str] = {}
        """The absolute paths of these files; empty for those that are none of the user's."""

    def hold(self, points: Iterable[Breakpoint]) -> None:
        """Those of these breakpoints that are on a line, and switched on, hold from now on."""
        points = tuple(point for point in points if point.line is not None and point.enabled)
        before, self._points = self._points, points
        self._by_line.clear()
        if [*map(_identity, points)] != [*map(_identity, before)]:
            self.changed()

    def forget(self) -> None:
        """Nobody waits for the lines any more that were held."""
        self._points = ()
        self._by_line.clear()

    def take_ambiguity(self) -> bool:
        """Whether, since this was asked last, a file has come that is called like another one which a breakpoint is
        on: that breakpoint holds in neither.
        """
        if not self._ambiguous:
            return False
        self._ambiguous = False
        self._by_line.clear()
        return True

    @property
    def any(self) -> bool:
        """Whether any line is waited for."""
        return bool(self._points)

    @property
    def all(self) -> tuple[Breakpoint, ...]:
        """The breakpoints on lines."""
        return self._points

    def lines_in(self, name: str) -> frozenset[int] | None:
        """The lines that are waited for in a file, by the name that its code objects bear; None where it is none of the
        user's.
        """
        found = self._in(name)
        return frozenset(found) if self._paths[name] else None

    def at(self, name: str, line: int) -> list[Breakpoint]:
        """The breakpoints at that line."""
        return self._in(name).get(line, [])

    def problem(self, point: Breakpoint) -> str:
        """Why that breakpoint cannot be met: there is no code at its line, several files are called so, or it is in a
        library.
        """
        paths = self.files(point)
        if len(paths) > 1:
            return f"{point.file} is {' and '.join(paths[:3])}; write more of the path"
        if paths and frames.origin(paths[0]) != "user":
            return f"{point.file} is a library's; training is stopped at lines of your own code"
        return _no_code(point, paths[0]) if paths else ""

    def unknown(self, point: Breakpoint) -> str:
        """That no file is called so as far as is known, with the nearest name; empty where one is."""
        if self.files(point):
            return ""
        return f"no file {point.file} was met yet{self.nearest(point)}"

    def nearest(self, point: Breakpoint) -> str:
        """`; did you mean net.py?`, where a file of such a name is loaded; else empty."""
        names = {os.path.basename(path) for path in self._known()} - {os.path.basename(point.file)}
        return did_you_mean(os.path.basename(point.file), sorted(names))

    def names(self, point: Breakpoint, frame: FrameType) -> bool:
        """Whether the file of that frame's code is the one that the breakpoint names."""
        name = frame.f_code.co_filename
        self._in(name)
        return bool(self._paths[name]) and self._is_of(point, self._paths[name])

    def is_loaded(self, point: Breakpoint) -> bool:
        """Whether code of the file is loaded."""
        return any(self._is_of(point, path) for path in self._known())

    def function(self, point: Breakpoint) -> str:
        """`Net.forward in /home/ada/net.py`: where the line is, as far as is known; empty where nothing is."""
        paths = self.files(point)
        if len(paths) != 1:
            return ""
        name = _lines(paths[0]).get(point.line or 0)
        return "" if name is None else f"{name or 'the module level'} in {paths[0]}"

    def is_within(self, point: Breakpoint, code: CodeType) -> bool:
        """Whether the line is one of the function that a code object, maybe a compiler's, goes by the name of."""
        path = self._paths.get(code.co_filename, "")
        return bool(path) and self._is_of(point, path) and _lines(path).get(point.line or 0) == code.co_qualname

    def files(self, point: Breakpoint) -> list[str]:
        """The paths of the files that are meant: of those loaded, or one that lies there."""
        found = sorted({path for path in self._known() if self._is_of(point, path)})
        direct = os.path.join(self._folder, point.file)
        return found or ([os.path.normpath(direct)] if os.path.isfile(direct) else [])

    def _in(self, name: str) -> dict[int, list[Breakpoint]]:
        found = self._by_line.get(name)
        if found is not None:
            return found
        path = self._paths.get(name)
        if path is None:
            path = os.path.abspath(os.path.join(self._folder, name)) if frames.origin(name) == "user" else ""
            self._paths[name] = path
        found = {}
        for point in self._points if path else ():
            if self._is_of(point, path):
                if len(self.files(point)) < 2:
                    found.setdefault(point.line or 0, []).append(point)
                else:
                    self._ambiguous = True
        self._by_line[name] = found
        return found

    def _is_of(self, point: Breakpoint, path: str) -> bool:
        """Whether the file at that absolute path is the one that the breakpoint names."""
        direct = os.path.normpath(os.path.join(self._folder, point.file))
        if path == direct:
            return True
        if os.path.isfile(direct):
            return os.path.realpath(path) == os.path.realpath(direct)
        return not os.path.isabs(point.file) and path.endswith(os.sep + os.path.normpath(point.file))

    def _known(self) -> Iterator[str]:
        """The paths of the user's files that are loaded, as far as is known."""
        yield from (path for path in self._paths.values() if path)
        for module in list(sys.modules.values()):
            file = _VARIABLES.__get__(module).get("__file__") if issubclass(type(module), ModuleType) else None
            if type(file) is str and file.endswith(".py") and frames.origin(file) == "user":
                yield os.path.abspath(os.path.join(self._folder, file))


def _identity(point: Breakpoint) -> tuple[int, str]:
    return point.number, describe(point)


def _current_folder() -> str:
    try:
        return os.getcwd()
    except OSError:  # it has been removed
        return os.sep


def _no_code(point: Breakpoint, path: str) -> str:
    lines = _lines(path)
    return no_code(point.line or 0, lines, point.file) if lines else ""


def _lines(path: str) -> dict[int, str]:
    """The lines of a file that have code; none where it cannot be read, or compiled."""
    try:
        with open(path, "rb") as opened:
            return lines_with_code(opened.read(), path)
    except (OSError, SyntaxError, ValueError, RecursionError):
        return {}
