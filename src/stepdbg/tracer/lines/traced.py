"""Lines by a trace function, on Python 3.11: only frames whose code has a line that is waited for are traced by line.

Of all others the start is seen, which costs a look at the name of their file. The trace function of this thread is one
for all: where the script, a debugger or a coverage tool has its own, that one stays, and no line is waited for.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from threading import get_ident
from types import FrameType
from typing import Any

from stepdbg.tracer.lines.watched_codes import GaveUp, IsCompiled, Reached, Wanted, WatchedCodes, outwards

OTHERS = "the script, or a tool around it, has a trace function of its own, which stays (on Python 3.12 both can be)"
"""Why no line is waited for."""


class TracedLines:
    """Has lines call back before they run.

    Args:
        wanted: The lines that are waited for in a file; None where it is none of the user's.
        reached: Is called in the frame that is about to run one. It must not raise.
        is_compiled: Whether a compiler has made a code object of the user's code.
        gave_up: Is told what has failed here, which must not reach the user's code.
    """

    def __init__(self, wanted: Wanted, reached: Reached, is_compiled: IsCompiled, gave_up: GaveUp) -> None:
        self._reached, self._gave_up = reached, gave_up
        self._codes = WatchedCodes(wanted, is_compiled)
        self._files = _Files(wanted, self._leave_other_thread)
        self._thread = 0
        """The thread whose lines are waited for; 0 for none."""
        self._trace, self._trace_line = self._functions()

    def watch(self) -> str:
        """Wait for the lines that are wanted now, in the thread that calls this.

        Returns:
            Why that is not possible; empty where it is.
        """
        self._codes.begin_anew()
        self._files.clear()
        if sys.gettrace() not in (None, self._trace):
            self._thread = 0
            return OTHERS
        self._thread = get_ident()
        sys.settrace(self._trace)
        for frame in outwards(sys._getframe(1)):
            if self._codes.look_at(frame.f_code) and frame.f_trace is None:
                frame.f_trace = self._trace_line
        return ""

    def check(self) -> str:
        """See that lines are still waited for in the thread that calls this: trace again, where a debugger has come and
        gone; why not, if they are not.
        """
        return "" if self._thread == get_ident() and sys.gettrace() is self._trace else self.watch()

    def let_go(self) -> None:
        """Wait for no line any more, and leave nothing behind."""
        self._codes.begin_anew()
        self._files.clear()
        if self._thread and sys.gettrace() is self._trace:
            sys.settrace(None)
            for frame in outwards(sys._getframe(1)):
                if frame.f_trace is self._trace_line:
                    frame.f_trace = None
        self._thread = 0

    def _functions(self) -> tuple[Callable[..., Any], Callable[..., Any]]:
        """The trace functions of a thread, and of a frame: closures, since one of them runs at each call."""
        files, codes, reached, gave_up = self._files, self._codes, self._reached, self._gave_up

        def trace(frame: FrameType, event: str, _: object) -> Any:
            try:
                if files[frame.f_code.co_filename] and codes.look_at(frame.f_code):
                    return trace_line
            except Exception as error:
                gave_up(error)
            return None

        lines = codes.lines

        def trace_line(frame: FrameType, event: str, _: object) -> Any:
            if frame.f_lineno not in lines:
                return trace_line
            try:
                if event == "line" and codes.has(frame.f_code, frame.f_lineno) and not codes.is_repeat(frame):
                    reached(frame, frame.f_lineno)
                    frame.f_locals  # noqa: B018  Python takes the variables from there when this returns: as they are
            except Exception as error:
                gave_up(error)
            return trace_line

        return trace, trace_line

    def _leave_other_thread(self) -> None:
        """A thread starts code whose file is not known here: it may be one whose lines are waited for no more."""
        if get_ident() != self._thread and sys.gettrace() is self._trace:
            sys.settrace(None)


class _Files(dict[str, bool]):
    """Whether a file has lines that are waited for, by the name that code objects bear; found out when it is asked."""

    def __init__(self, wanted: Wanted, asked: Callable[[], None]) -> None:
        super().__init__()
        self._wanted, self._asked = wanted, asked

    def __missing__(self, file: str) -> bool:
        self._asked()
        self[file] = found = bool(self._wanted(file))
        return found
