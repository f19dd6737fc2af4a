"""What breakpoints have met, told to the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic_ns

from stepdbg.protocol import messages as m
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.session.rank import Rank


class BreakpointReports:
    """The way of this process's breakpoints to the hub.

    Args:
        rank: This process in the session.
    """

    def __init__(self, rank: Rank) -> None:
        self._rank = rank
        self.interruptions = Interruptions(lambda number: rank.link.send(m.Interruptible(number)))
        """Let what never ends be interrupted: the hub does, which sees on the page since when it runs."""

    def hit(self, number: int, *, stopped: bool) -> None:
        """A breakpoint was met, and has stopped training or not."""
        self._rank.link.send(m.BreakpointHit(number, stopped))

    def noted(self, number: int, boundary: m.Boundary, words: str) -> None:
        """A breakpoint was met that notes a message."""
        self._rank.link.send(m.Noted(number, boundary, words))

    def failed(self, number: int, problem: str, *, off: bool) -> None:
        """A condition or a message could not be evaluated; `off` where the breakpoint is switched off for it."""
        self._rank.link.send(m.BreakpointFailed(number, problem, off))

    @contextmanager
    def evaluating(self) -> Iterator[None]:
        """What runs within makes no boundaries, and is interrupted when it takes too long."""
        page = self._rank.page
        with self.interruptions.possible():
            if page is not None:
                page.evaluating(monotonic_ns())
            try:
                yield
            finally:
                if page is not None:
                    page.evaluating(0)
