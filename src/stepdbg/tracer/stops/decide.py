"""Whether training stops at a boundary: a bad value, breakpoints, a pause and the user's order, a policy each.

The first policy that has a reason decides. Where none can have one, as in a free run with no breakpoint, nobody looks
at a boundary at all (`StopPolicy.free`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.nonfinite.checks import Checks
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.stops.cause import STEPPING

SLOWER = "every phase is looked at, which is slower"
"""What is to be known of a breakpoint on findings."""
Why = tuple[m.Reason, str]
"""The reason to stop, and a detail in words."""


class Policy(Protocol):
    """A kind of reason to stop."""

    @property
    def idle(self) -> bool:
        """Whether this policy cannot make training stop as things are."""

    def why(self, at: Arrival) -> Why | None:
        """The reason to stop at that boundary, if this policy has one."""

    def foresees(self, phase: str, boundary: m.Boundary) -> bool:
        """Whether training will stop at the end of the phase that begins at that boundary, as far as is known."""


class BreakpointPolicy:
    """Stops where a breakpoint is met."""

    def __init__(self, phases: PhaseTracker, points: Breakpoints) -> None:
        self._phases, self._points = phases, points

    @property
    def idle(self) -> bool:
        """Always: where one may be met is asked at each boundary that is not only noted (`Breakpoints.may_be_met`)."""
        return True

    def why(self, at: Arrival) -> Why | None:
        """The breakpoint that is met, whose hit is counted."""
        reason = self._points.met(at) if self._points.any else ""
        return ("breakpoint", reason) if reason else None

    def foresees(self, phase: str, boundary: m.Boundary) -> bool:
        """Whether a breakpoint stands at the end of the phase, or before what is foretold to follow on it."""
        phases = self._phases
        last = phase == "step" or phases.is_last(phase)
        update = boundary.opens or phases.update
        following = phases.foretell(phase, begins=True)
        return self._points.any and self._points.places.foreseen(phase, following, update, last)


class BadValuePolicy:
    """Stops where the first value is that is not finite."""

    def __init__(self, checks: Checks, points: Breakpoints) -> None:
        self._checks, self._points = checks, points

    @property
    def idle(self) -> bool:
        """Always: whether there is one is asked at each boundary, looked at or not (`Checks.bad_before`)."""
        return True

    def why(self, at: Arrival) -> Why | None:
        """The first bad value, if it has just been found. What it is, is told where its names are known."""
        if self._checks.found is None or not self._checks.number:
            return None
        self._points.listener.hit(self._checks.number, stopped=True)
        return "nan", ""

    def foresees(self, phase: str, boundary: m.Boundary) -> bool:
        """Never."""
        return False


class FindingPolicy:
    """Stops where a rule finds something new. That is known once the boundary has been looked at: `PhaseWatch.pass_by`
    does so at each where training would go on.
    """

    def __init__(self, points: Breakpoints) -> None:
        self._points = points
        self._number = 0
        """The number of the breakpoint that asks for it; 0 where none does."""

    @property
    def wanted(self) -> bool:
        """Whether training is to stop for a finding."""
        return self._number > 0

    @property
    def idle(self) -> bool:
        """Whether nobody has asked for it: where somebody has, every boundary is looked at."""
        return not self.wanted

    def hold(self, points: Iterable[m.Breakpoint]) -> None:
        """Stop from now on if one of these breakpoints asks for it."""
        found = next((one.number for one in points if one.finding and one.enabled), 0)
        if found and found != self._number:
            self._points.listener.remarked(found, SLOWER)
        self._number = found

    def met(self, findings: Sequence[m.Finding]) -> Why:
        """The reason to stop for what the rules have found."""
        self._points.listener.hit(self._number, stopped=True)
        return "breakpoint", f"new finding ({', '.join(dict.fromkeys(one.rule for one in findings))})"

    def why(self, at: Arrival) -> Why | None:
        """None: nothing has been looked at yet."""
        return None

    def foresees(self, phase: str, boundary: m.Boundary) -> bool:
        """Never."""
        return False


class PausePolicy:
    """Stops at the next boundary once the user has asked for a pause."""

    def __init__(self) -> None:
        self.wanted = False
        """Whether a pause was asked for and training has not stopped since."""

    @property
    def idle(self) -> bool:
        """Whether no pause is wanted."""
        return not self.wanted

    def why(self, at: Arrival) -> Why | None:
        """A pause, at any boundary."""
        return ("pause", "") if self.wanted else None

    def foresees(self, phase: str, boundary: m.Boundary) -> bool:
        """Never: a pause is met before the phase begins."""
        return False


class OrderPolicy:
    """Stops as far on as the user has said to go."""

    def __init__(self, phases: PhaseTracker) -> None:
        self.until: m.Go | None = None
        """How far to go; None until the first order."""
        self._phases = phases

    @property
    def idle(self) -> bool:
        """Whether training is to go on without end."""
        return self.until == "continue"

    def why(self, at: Arrival) -> Why | None:
        """A step that has come to its end. A row of evaluations is one step to those who go phase by phase."""
        until, boundary = self.until, at.boundary
        if until is None:
            return "step", ""
        if until in STEPPING and not at.silent:
            within_eval = at.sure and until == "next" and boundary.next == "eval" and boundary.done in ("eval", None)
            return None if within_eval else ("step", "")
        if until == "finish" and boundary.opens is not None:
            return "step", ""
        return None

    def foresees(self, phase: str, boundary: m.Boundary) -> bool:
        """Whether the step ends with the phase."""
        if self.until in STEPPING:
            return True
        return self.until == "finish" and (phase == "step" or self._phases.is_last(phase))


class StopPolicy:
    """All policies, in the order in which they are asked."""

    def __init__(self, phases: PhaseTracker, points: Breakpoints, checks: Checks) -> None:
        self.free = False
        """Whether nothing but the bell and breakpoints can make training stop: not every boundary is looked at."""
        self.traced = False
        """Whether each boundary is told of."""
        self._order = OrderPolicy(phases)
        self._pause = PausePolicy()
        self.exceptions = True
        """Whether an uncaught exception is a stop."""
        self._phases, self._points, self.checks = phases, points, checks
        self._breakpoints = BreakpointPolicy(phases, points)
        self.findings = FindingPolicy(points)
        self.policies: tuple[Policy, ...] = (
            BadValuePolicy(checks, points),
            self._breakpoints,
            self.findings,
            self._pause,
            self._order,
        )

    @property
    def until(self) -> m.Go | None:
        """How far the user has said to go; None until the first order."""
        return self._order.until

    def begin(self, welcome: m.RankWelcome) -> None:
        """The session has been entered, with the order and the breakpoints that hold there."""
        self.traced = welcome.trace is not None
        self._order.until, self.exceptions = welcome.go, welcome.exceptions
        self._hold(welcome.breakpoints, None)

    def set_breakpoints(self, points: tuple[m.Breakpoint, ...]) -> None:
        """Take these breakpoints in the place of those that held so far."""
        self._hold(points, self._phases.epoch)

    def _hold(self, points: tuple[m.Breakpoint, ...], epoch: int | None) -> None:
        """Take these breakpoints; training is in that epoch."""
        self._points.hold(points, epoch)
        mine = [one for one in points if one.rank in (None, self._points.rank)]
        self.checks.hold(mine)
        self.findings.hold(mine)
        self.settle()

    def go_on(self, until: m.Go) -> None:
        """The user has said how far to go."""
        self._order.until = until
        self.settle()

    def pause(self) -> None:
        """The user has asked training to stop at the next boundary."""
        self._pause.wanted = True
        self.settle()

    def stopped(self) -> None:
        """Training stops: a pause has been met, whatever the reason was."""
        self._pause.wanted = False

    def settle(self) -> None:
        """See anew whether anything but the bell can make training stop."""
        self.free = self._points.late.free = not self.traced and all(policy.idle for policy in self.policies)

    def look(self) -> None:
        """The next boundary is to be looked at, whatever the policies say."""
        self.free = self._points.late.free = False

    def why(self, at: Arrival) -> Why | None:
        """The reason to stop at that boundary, if there is one."""
        found = next((why for policy in self.policies if (why := policy.why(at)) is not None), None)
        late = self._points.late
        if found is not None and late.awaited and late.arrive(at.boundary.update, wait=True):
            reason = self._points.met_late(at.boundary)  # training waits here anyway
            return ("breakpoint", reason) if reason and found[0] in ("pause", "step") else found
        return found

    def why_again(self, at: Arrival) -> Why | None:
        """The reason to stop once more at a boundary at which training stood when it was only foretold what comes next:
        a breakpoint on what has come.
        """
        return self._breakpoints.why(at)

    def is_due(self, boundary: m.Boundary) -> bool:
        """Whether training is foreseen to stop at the end of the phase that begins at that boundary."""
        phase = boundary.next
        return phase is not None and any(policy.foresees(phase, boundary) for policy in self.policies)
