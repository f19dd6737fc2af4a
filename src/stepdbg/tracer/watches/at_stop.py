"""The watches where training waits: what they give there, again after an edit, and what a new one would give."""

from __future__ import annotations

from stepdbg.protocol.messages import CheckWatch, Result, WatchChecked, WatchValue
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.watches.watches import Watches


class WatchesAtStop(Handler):
    """Reads the watches at a stop.

    Args:
        watches: Those that hold.
    """

    answers = (CheckWatch,)

    def __init__(self, watches: Watches) -> None:
        self._watches = watches
        self._at: AtStop | None = None

    def open(self, at: AtStop) -> None:
        """Training has stopped."""
        self._at = at

    def close(self) -> None:
        """Training goes on."""
        self._at = None

    def edited(self) -> None:
        """Something is about to be changed."""
        self._watches.changed()

    def values(self) -> tuple[WatchValue, ...]:
        """What each watch gives."""
        return self._watches.at_stop(_arrival(self._at)) if self._at is not None else ()

    def answer(self, query: CheckWatch) -> Result:
        """What an expression gives here.

        Raises:
            Refused: it is none.
        """
        assert self._at is not None
        try:
            return WatchChecked(self._watches.try_out(query.expression, _arrival(self._at)))
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise Refused(f"{query.expression!r} is no expression of Python: {error}") from error


def _arrival(at: AtStop) -> Arrival:
    """The stop, as an expression sees it."""
    return Arrival(at.boundary, False, True, frames.user_frame(next(iter(at.stack), None)))
