"""Which phase an exception has left: read off its traceback, since a script may have caught the last that left one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from types import CodeType, TracebackType
from typing import NamedTuple

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.phase import Phase

_REMEMBERED = 64
"""The number of calls that are remembered, the newest ones."""
_CHAINED = 32
"""The number of exceptions looked at, each raised while the next one was handled."""


class _Call(NamedTuple):
    """A call that was left by an exception, and the phases that ended there, outermost first."""

    code: CodeType
    phases: tuple[str, ...]


class Left:
    """The calls that were phases, and were left by exceptions."""

    def __init__(self) -> None:
        self._calls: dict[tuple[int, int], _Call] = {}
        """The calls, by the `id` of the code that made them and the place there."""

    def note(self, phase: Phase) -> None:
        """An exception is just leaving that phase, whose call our callers wrap."""
        frame = frames.calling(sys._getframe(1))
        if frame is None:
            return
        key = id(frame.f_code), frame.f_lasti
        self._calls.pop(key, None)
        self._calls[key] = _Call(frame.f_code, (*phase.inside, phase.name))
        if len(self._calls) > _REMEMBERED:
            del self._calls[next(iter(self._calls))]

    def by(self, error: BaseException, whole: TracebackType | None) -> tuple[str, ...]:
        """The innermost phase that this exception has left, or one that it came from, with what encloses it.

        Args:
            error: The exception.
            whole: Its traceback, as it will be.
        """
        for one in chain(error):
            found: tuple[str, ...] = ()
            traceback = whole if one is error else one.__traceback__
            while traceback is not None:
                call = self._calls.get((id(traceback.tb_frame.f_code), traceback.tb_lasti))
                if call is not None:
                    found = call.phases
                traceback = traceback.tb_next
            if found:
                return found
        return ()


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The exception, and the exceptions that it came from, as far as they are looked at."""
    for _ in range(_CHAINED):
        if error is None:
            return
        yield error
        cause = error.__cause__
        error = error.__context__ if cause is None else cause
