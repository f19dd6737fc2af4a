"""What breakpoints have met, told to the hub."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from time import monotonic_ns
from typing import Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.python.interruptions import Interruptions
from stepdbg.tracer.session.rank import Rank


class Listener(Protocol):
    """Who is told what breakpoints have met."""

    interruptions: Interruptions
    """What lets an evaluation that never ends be interrupted."""

    def hit(self, number: int, *, stopped: bool) -> None:
        """A breakpoint was met, and has stopped training or not."""

    def noted(self, number: int, boundary: m.Boundary, words: str) -> None:
        """A breakpoint was met that notes a message."""

    def failed(self, number: int, problem: str, *, off: bool) -> None:
        """A condition or a message could not be evaluated; `off` where the breakpoint is switched off for it."""

    def remarked(self, number: int, remark: str) -> None:
        """Something is to be known of how a condition is evaluated."""

    def evaluating(self) -> AbstractContextManager[None]:
        """What runs within is interrupted when it takes too long."""


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

    def remarked(self, number: int, remark: str) -> None:
        """Something is to be known of how a condition is evaluated."""
        self._rank.link.send(m.BreakpointRemark(number, remark))

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
