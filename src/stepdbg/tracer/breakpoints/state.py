"""What is known of one breakpoint while it holds in this process."""

from __future__ import annotations

from stepdbg.protocol.messages import Breakpoint
from stepdbg.tracer.breakpoints.conditions.condition import Condition
from stepdbg.tracer.breakpoints.conditions.evaluation import Problem
from stepdbg.tracer.breakpoints.conditions.vocabulary import Memory
from stepdbg.tracer.breakpoints.inner import LEARNED
from stepdbg.tracer.breakpoints.late.verdicts import Late


class State:
    """What is known of one breakpoint while it holds."""

    def __init__(self, point: Breakpoint) -> None:
        self.point = point
        self.condition = Condition(point.condition) if point.condition else None
        self.message = Condition.of_log(point.log) if point.log else None
        self.late = Late(point.number, self.condition, point.condition) if self.condition else None
        """How its condition is asked without waiting for a device."""
        self.memory = Memory()
        self.reads = (self.condition.names if self.condition else frozenset()) | (
            self.message.names if self.message else frozenset()
        )
        """All names that its condition and its message read."""
        self.verdict: tuple[int, bool | Problem] = (-1, False)
        """At which boundary, by its index, the condition was evaluated ahead, and what it gave; -1 for none."""
        self.met = 0
        """How often all of it held, without a stop for what is to be ignored."""
        self.seen_at = 0
        """The boundary, by its index, at which this breakpoint was looked at last."""
        self.failed = False
        """Whether its condition has raised, and training has stopped for that."""
        self.over = False
        """Whether it is not met any more: it was temporary, or never ends."""
        self.unknown = False
        """Whether the user was told that what it names has not been met yet."""
        self.waits = ""
        """What its condition asks for that training has not made yet, in words."""

    def waits_for(self, problem: Problem, update: int) -> bool:
        """Whether what its condition asks for may be made yet, since training has only begun."""
        return problem.early and update < LEARNED

    def is_news(self, problem: Problem, update: int) -> bool:
        """Whether what its condition has raised is to be told: it was not before, or it ends the breakpoint."""
        if self.waits_for(problem, update):
            return str(problem) != self.waits
        return not self.failed or problem.endless
