"""Lines by `sys.monitoring`, on Python 3.12 and later: every line that is not waited for runs at full speed.

Each code object tells once that it starts (or, a generator, that it goes on), and then never again; one that has a line
which is waited for tells of its lines, and each other line of it is silenced when it comes up for the first time. So
code that is loaded later is seen as well, and what runs already is looked for on the stack. The tool number is one that
no debugger, coverage or profiler has; it is given back when no line is waited for.
"""

from __future__ import annotations

import sys
import weakref
from types import CodeType
from typing import Any

from stepdbg.tracer.lines.watched_codes import GaveUp, IsCompiled, Reached, Wanted, WatchedCodes, outwards

_TOOLS = (4, 3, 5)
"""The numbers that Python gives to nobody by name, and that of an optimizer, which there is none of."""
_NAME = "stepdbg"


class MonitoredLines:
    """Has lines call back before they run.

    Args:
        wanted: The lines that are waited for in a file; None where it is none of the user's.
        reached: Is called in the frame that is about to run one. It must not raise.
        is_compiled: Whether a compiler has made a code object of the user's code.
        gave_up: Is told what has failed here, which must not reach the user's code.
    """

    def __init__(self, wanted: Wanted, reached: Reached, is_compiled: IsCompiled, gave_up: GaveUp) -> None:
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._wanted, self._reached, self._gave_up = wanted, reached, gave_up
        self._codes = WatchedCodes(wanted, is_compiled)
        self._seen: dict[int, weakref.ref[CodeType]] = {}
        """The user's code objects that have told that they start: they do not do it again."""
        self._tool: int | None = None
        self._silent = self._monitoring.DISABLE

    def watch(self) -> str:
        """Wait for the lines that are wanted now.

        Returns:
            Why that is not possible; empty where it is.
        """
        if self._tool is None and not self._claim():
            names = ", ".join(str(self._monitoring.get_tool(number)) for number in _TOOLS)
            return f"other tools of this process ({names}) have taken all numbers of sys.monitoring"
        self._silence(self._codes.begin_anew())
        for seen in list(self._seen.values()):
            if (code := seen()) is not None:
                self._look_at(code)
        for frame in outwards(sys._getframe(1)):
            self._look_at(frame.f_code)
        return ""

    def check(self) -> str:
        """Nothing can come in between: each tool has its own events."""
        return ""

    def let_go(self) -> None:
        """Wait for no line any more, and leave nothing behind."""
        tool, self._tool = self._tool, None
        if tool is None:
            return
        monitoring, events = self._monitoring, self._monitoring.events
        for code in self._codes.begin_anew():
            monitoring.set_local_events(tool, code, 0)
        monitoring.set_events(tool, 0)
        for event in (events.PY_START, events.PY_RESUME, events.LINE):
            monitoring.register_callback(tool, event, None)
        monitoring.free_tool_id(tool)

    def _claim(self) -> bool:
        """Whether there was a number left to be taken."""
        monitoring, events = self._monitoring, self._monitoring.events
        for number in _TOOLS:
            if monitoring.get_tool(number) is None:
                monitoring.use_tool_id(number, _NAME)
                monitoring.register_callback(number, events.PY_START, self._starts)
                monitoring.register_callback(number, events.PY_RESUME, self._starts)
                monitoring.register_callback(number, events.LINE, self._line)
                monitoring.set_events(number, events.PY_START | events.PY_RESUME)
                self._tool = number
                return True
        return False

    def _silence(self, codes: list[CodeType]) -> None:
        for code in codes:
            self._monitoring.set_local_events(self._tool, code, 0)

    def _starts(self, code: CodeType, _offset: int) -> object:
        try:
            self._look_at(code)
        except Exception as error:
            self._gave_up(error)
        return self._silent

    def _look_at(self, code: CodeType) -> None:
        """Have a code object tell of its lines, if one of them is waited for."""
        if self._wanted(code.co_filename) is None:
            return
        seen = self._seen.get(id(code))
        if seen is None or seen() is not code:
            self._seen[id(code)] = weakref.ref(code)
        tool = self._tool
        if tool is not None and self._codes.look_at(code):  # (another thread may have let go meanwhile)
            self._monitoring.set_local_events(tool, code, self._monitoring.events.LINE)

    def _line(self, code: CodeType, line: int) -> object:
        try:
            frame = sys._getframe(1)
            if not self._codes.has(code, line) or self._codes.is_repeat(frame):
                return self._silent
            self._reached(frame, line)
        except Exception as error:
            self._gave_up(error)
        return None
