"""Exceptions that are raised in the user's own lines, or come to them, told where they are: Python 3.12 and later.

`sys.monitoring` tells of each exception in each frame that it comes to, and of each that a handler raises again; that
costs nothing where none is raised. Python 3.11 has nothing of the kind but a trace function, which slows every line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Protocol

_TOOLS = (3, 4, 5)
"""The numbers that Python gives to nobody by name; breakpoints on lines begin with 4."""
_NAME = "stepdbg"
_ANSWERS: dict[str, type[BaseException]] = {
    "__getitem__": IndexError,
    "__len__": TypeError,
    "__length_hint__": TypeError,
    "__getattr__": AttributeError,
    "__getattribute__": AttributeError,
    "__del__": BaseException,
}
"""Methods that Python itself calls, and what it takes for an answer of theirs: the end of what is iterated over, that
there is no length or attribute. What a destructor raises is printed."""

Raised = Callable[[BaseException, FrameType, bool], None]
"""Is called in a frame of the user's with an exception, the frame, and whether a handler there raises it again. It must
not raise."""


class RaiseWatch(Protocol):
    """Tells of exceptions in the user's frames."""

    def begin(self) -> None:
        """Tell of them from now on, if that is possible."""

    def let_go(self) -> None:
        """Tell of none any more, and leave nothing behind."""


def raise_watch(raised: Raised, origin: Callable[[str], str]) -> RaiseWatch:
    """What this Python has.

    Args:
        raised: Is called with an exception in a frame of the user's.
        origin: Whose a file is: `user` of the user's own.
    """
    return Monitored(raised, origin) if sys.version_info >= (3, 12) else Unwatched()


class Unwatched:
    """Tells of nothing."""

    def begin(self) -> None:
        """Nothing begins."""

    def let_go(self) -> None:
        """Nothing is left behind."""


class Monitored:
    """Tells of exceptions by `sys.monitoring`.

    Of none that says that the stack is full: a callback has no room either. Where not even the callback has room to
    begin, Python raises such an exception anew, one frame further out.
    """

    def __init__(self, raised: Raised, origin: Callable[[str], str]) -> None:
        self._monitoring: Any = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._raised, self._origin = raised, origin
        self._tool: int | None = None

    def begin(self) -> None:
        """Tell of them from now on, unless other tools have taken all numbers."""
        monitoring, events = self._monitoring, self._monitoring.events
        free = (number for number in _TOOLS if monitoring.get_tool(number) is None)
        if self._tool is not None or (number := next(free, None)) is None:
            return
        self._tool = number
        monitoring.use_tool_id(number, _NAME)
        monitoring.register_callback(number, events.RAISE, self._comes)
        monitoring.register_callback(number, events.RERAISE, self._comes_again)
        monitoring.set_events(number, events.RAISE | events.RERAISE)

    def let_go(self) -> None:
        """Tell of none any more, and leave nothing behind."""
        tool, self._tool = self._tool, None
        if tool is not None:
            self._monitoring.set_events(tool, 0)
            for event in (self._monitoring.events.RAISE, self._monitoring.events.RERAISE):
                self._monitoring.register_callback(tool, event, None)
            self._monitoring.free_tool_id(tool)

    def _comes(self, code: CodeType, _offset: int, error: BaseException) -> None:
        if not issubclass(type(error), RecursionError) and self._origin(code.co_filename) == "user":
            self._raised(error, sys._getframe(1), False)

    def _comes_again(self, code: CodeType, _offset: int, error: BaseException) -> None:
        if not issubclass(type(error), RecursionError) and self._origin(code.co_filename) == "user":
            self._raised(error, sys._getframe(1), True)


def is_an_answer(error: BaseException, frame: FrameType | None) -> bool:
    """Whether an exception may come to a method that Python calls for an answer, of which the exception is one.

    Args:
        error: The exception.
        frame: The innermost frame.
    """
    kinds = type.mro(type(error))
    while frame is not None:
        if any(_ANSWERS.get(frame.f_code.co_name) is kind for kind in kinds):
            return True
        frame = frame.f_back
    return False
