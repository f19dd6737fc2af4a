"""Which breakpoints are met at a boundary: all that is written of one holds there. What is met is told to the hub."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from stepdbg.protocol.breakpoint_text import describe, goal_words, is_gradient
from stepdbg.protocol.messages import Boundary, Breakpoint
from stepdbg.tracer.breakpoints.arrival import Arrival, AtLine
from stepdbg.tracer.breakpoints.closures import Closures
from stepdbg.tracer.breakpoints.conditions.condition import Condition, is_true, loss_condition, norm_condition
from stepdbg.tracer.breakpoints.conditions.evaluation import Evaluation, Problem, nothing_around
from stepdbg.tracer.breakpoints.conditions.vocabulary import norm_of_gradients
from stepdbg.tracer.breakpoints.inner import InnerPoints
from stepdbg.tracer.breakpoints.late.verdicts import LateVerdicts, late_words
from stepdbg.tracer.breakpoints.line_points import LinePoints
from stepdbg.tracer.breakpoints.owners import OwnerNames
from stepdbg.tracer.breakpoints.places import Places, counts
from stepdbg.tracer.breakpoints.reports import Listener
from stepdbg.tracer.breakpoints.state import State
from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.session.on_the_way import is_far
from stepdbg.tracer.watchpoints.watchpoints import Watchpoints

_OF_THE_ORDER = frozenset(("update", "epoch"))
"""Words whose value depends on what opens at the boundary."""
_KEEPING = frozenset(("changed", "ratio", "ema"))
"""Words that compare with the time before: asked at another boundary, they would tell something else."""
LONGEST_LOG = 2000
"""Characters of a message that is noted."""


class Breakpoints:
    """The breakpoints that hold in this process."""

    def __init__(self, registry: Registry, owners: OwnerNames, closures: Closures, listener: Listener) -> None:
        self.owners, self._closures, self.listener = owners, closures, listener
        self.evaluation = Evaluation(registry, owners, listener.evaluating)
        self.places = Places()
        self.lines = LinePoints()
        self.inner = InnerPoints(owners)
        """Those within a phase."""
        self.watchpoints = Watchpoints(registry, owners.find)
        self.late = LateVerdicts(self.evaluation, listener)
        """Conditions that were asked of a device, to be read later."""
        self.rank = 0
        """The number of this training process."""
        self._states: dict[int, State] = {}
        self.reads_loss = False
        """Whether any condition or message reads the loss."""
        self.loss_holds: Callable[[float], bool] | None = None
        """Where all that training may stop for before a `backward` are conditions on the loss alone: whether any holds,
        or raises, for a loss of that value."""
        self.norm_holds: Callable[[], bool] | None = None
        """The same before a step, of conditions on the norm of all gradients alone."""

    @property
    def all(self) -> list[Breakpoint]:
        """The breakpoints of this process."""
        return [state.point for state in self._states.values()]

    @property
    def any(self) -> bool:
        """Whether any is switched on."""
        return self.places.any or self.inner.any or self.watchpoints.any

    def is_simple_at(self, name: str, ended: str) -> bool:
        """Whether all that is evaluated where that phase begins, after one that has ended, runs nobody's code."""
        return self.is_simple((*self.places.before(name), *self.places.after(ended)))

    @property
    def watched(self) -> frozenset[str]:
        """The phases that training may stop before, after or within."""
        return self.places.watched | self.inner.phases

    def unnoted(self, update: int) -> frozenset[str]:
        """Those of them that must not be only noted in a free run: no `backward` that its loss decides alone, no `step`
        that the norm of the gradients does.
        """
        watched = self.places.watched_near(update)
        if self.loss_holds is not None:
            watched -= {"backward"}
        return (watched - {"step"} if self.norm_holds is not None else watched) | self.inner.phases

    def phases_ahead(self, update: int) -> int | None:
        """So many phases can begin from now on, in that update, before an update opens that is waited for.

        An update has one phase at least. None where no update is waited for.
        """
        return self.places.updates_ahead(update)

    def hold(self, points: Iterable[Breakpoint], epoch: int | None = None) -> None:
        """Those of these breakpoints that are of this process hold from now on; training is in that epoch."""
        points = [one for one in points if one.rank in (None, self.rank) and not (one.first_bad or one.finding)]
        at_boundaries = [one for one in points if one.watch is None and not is_gradient(one.phase, one.of)]
        self.places = Places(at_boundaries, epoch)
        self.inner.hold(points)
        self.watchpoints.hold(points)
        before, self._states = self._states, {}
        for point in points:
            state = before.get(point.number)
            same = state is not None and describe(state.point) == describe(point)
            self._states[point.number] = state if same and state is not None else State(point)
            self._states[point.number].point = point
        states = [state for state in self._states.values() if state.condition is not None or state.message is not None]
        self.reads_loss = any("loss" in state.reads for state in states)
        self.loss_holds = loss_condition(self._alone("backward", {"loss"}))
        self.norm_holds = norm_condition(self._alone("step", {"grad_norm"}), self._norm)
        self.lines.hold(points)
        if not self.any:  # nobody will ask what has come of what was asked
            self.late.forget()

    def met(self, at: Arrival) -> str:
        """Why training stops at that boundary, in words; empty where no breakpoint makes it."""
        reason = self._watched(at) if self.watchpoints.any else ""
        if self.late.awaited and self.late.arrive(at.boundary.update):
            reason = self.met_late(at.boundary) or reason
        for point in self.places.at(at.boundary, at.coming_epoch, sure=at.sure):
            state = self._states[point.number]
            if state.seen_at == at.boundary.index or state.over or not self.owners.is_of(point, at):
                continue
            if self._closures.defer(point, at.boundary):
                continue
            state.seen_at = at.boundary.index
            try:
                if self._is_met(state, at, between=True):
                    reason = reason or in_words(point)
            except Problem as problem:
                reason = self._has_failed(state, problem, at.boundary) or reason
        return reason

    def met_late(self, boundary: Boundary) -> str:
        """Why training stops for a condition that has held at an earlier boundary, in words; empty where it does not.

        Args:
            boundary: The boundary that training has come to.
        """
        reason = ""
        for asked in self.late.take():
            state = next((one for one in self._states.values() if one.condition is asked.condition), None)
            if state is not None and state.point.enabled and not state.over and self._is_counted(state):
                reason = reason or f"{in_words(state.point)}{late_words(asked, boundary.index)}"
        return reason

    def _watched(self, at: Arrival) -> str:
        """Why training stops for a value that is watched, in words; empty where none makes it."""
        reason, boundary = "", at.boundary
        if boundary.opens is not None:
            self.watchpoints.ends(boundary.opens - 1)
        for number, state in self._states.items():
            watchpoint = self.watchpoints.of(number)
            if watchpoint is None:
                continue
            if problem := watchpoint.take_problem():
                reason = self._has_failed(state, Problem(problem), boundary) or reason
            words = watchpoint.take()
            if not words or state.over or not counts(state.point, boundary.update, boundary.epoch):
                continue
            try:
                if self._is_met(state, at):
                    reason = reason or f"{in_words(state.point)}: {words}"
            except Problem as failed:
                reason = self._has_failed(state, failed, boundary) or reason
        return reason

    def met_within(self, points: Iterable[Breakpoint], at: Arrival | AtLine) -> str:
        """Why training stops at a line, or at a unit of a phase, that these breakpoints are on, in words; empty where
        none of them makes it.
        """
        reason = ""
        for point in points:
            state = self._states.get(point.number)
            limited = (point.update, point.every, point.epoch) != (None, None, None)
            if state is None or state.over or (limited and not counts(point, at.boundary.update, at.boundary.epoch)):
                continue
            try:
                if self._is_met(state, at):
                    reason = reason or in_words(point)
            except Problem as problem:
                reason = self._has_failed(state, problem, at.boundary) or reason
        return reason

    def is_simple(self, points: Iterable[Breakpoint]) -> bool:
        """Whether all that is evaluated for these breakpoints runs nobody's code."""
        states = [self._states[point.number] for point in points]
        return all(state.condition is None or state.condition.is_simple for state in states)

    def tell_unknown(self, number: int, unknown: str) -> None:
        """Tell the user once, in words, that what a breakpoint names was not met; without any, that it was."""
        state = self._states.get(number)
        if state is not None and state.unknown != bool(unknown):
            state.unknown = bool(unknown)
            self.listener.failed(number, unknown, off=False)

    def may_be_met(self, name: str, ended: str, at: Arrival) -> bool:
        """Whether any breakpoint may be met as that phase begins; where not, that is certain.

        A condition that holds is not evaluated again at the same boundary.

        Args:
            name: The phase.
            ended: The phase that has just ended, if it is one of those watched.
            at: The boundary, as far as is known: not what opens there; of phases whose call is a model's, whose it is.
        """
        return any(
            self._may_be_met(
                self._states[point.number], at, here=point.phase == (name if point.when == "before" else ended)
            )
            for point in self.places.near(name, ended, at.boundary.update)
        )

    def try_out(self, point: Breakpoint, at: Arrival) -> tuple[str, str]:
        """What the condition of a breakpoint gives at a stop (or its message, where it has no condition), in words, and
        what is wrong with it; nothing is kept.
        """
        state = State(point)
        what = state.condition or state.message
        if what is None:
            return "", ""
        try:
            return repr(self._evaluate(state, what, at, truth=state.condition is not None)), ""
        except Problem as problem:
            return "", str(problem)

    def _may_be_its_place(self, point: Breakpoint, at: Arrival, *, here: bool) -> bool:
        """Whether a breakpoint on a model's call, or on that of a module within one, may be met at a boundary between
        phases; `here` where it is one at which its phase begins or has ended. True for any other breakpoint.
        """
        if not self.inner.may_name_module(point):
            return True
        return self.owners.is_of(point, at) if here else not self.inner.names_module(point)

    def _alone(self, phase: str, reads: set[str]) -> list[str]:
        """The conditions of all breakpoints before that phase, where each is one on that alone; else none."""
        points = self.places.before(phase)
        plain = all(describe(point) == f"before {phase} if {point.condition}" for point in points)
        if not plain or phase in self.places.followed or any(self._states[one.number].reads != reads for one in points):
            return []
        return [point.condition for point in points]

    def _norm(self) -> float:
        """The norm of all gradients.

        Raises:
            LookupError: something of the script's would see or change what is computed.
        """
        parameters = self.owners.all_parameters()
        if not nothing_around() or (self.late.applies and any(map(is_far, parameters))):
            raise LookupError
        with unseen():
            return norm_of_gradients(parameters)

    def _may_be_met(self, state: State, at: Arrival, *, here: bool) -> bool:
        point = state.point
        if state.over or not self._may_be_its_place(point, at, here=here):
            return False
        if state.condition is None or point.of or not state.reads.isdisjoint(_OF_THE_ORDER):
            return True
        limited = (point.update, point.every, point.epoch) != (None, None, None)
        if limited and not state.reads.isdisjoint(_KEEPING):  # which update this is, is not known yet
            return True
        if "loss" in state.reads and (point.phase, point.when) == ("backward", "before"):
            return True  # it is being made into the newest loss
        if self.late.applies and state.late is not None and not state.late.waits:
            # Where this is, only a look at the order of phases tells; and what is compared is asked once.
            return not state.reads.isdisjoint(_KEEPING) or self.late.may_hold(state.late, at, state.memory)
        try:
            state.verdict = (at.boundary.index, bool(self._evaluate(state, state.condition, at, truth=True)))
        except Problem as problem:
            state.verdict = (at.boundary.index, problem)
            return state.is_news(problem, at.boundary.update)
        return bool(state.verdict[1])

    def _is_met(self, state: State, at: Arrival | AtLine, *, between: bool = False) -> bool:
        """Whether training stops for that breakpoint, whose place this is; `between` two phases.

        Raises:
            Problem: its condition or its message cannot be evaluated.
        """
        if state.condition is not None and not self._verdict(state, state.condition, at, between=between):
            return False
        return self._is_counted(state, at)

    def _is_counted(self, state: State, at: Arrival | AtLine | None = None) -> bool:
        """Whether training stops for that breakpoint, all of which holds.

        Args:
            state: The breakpoint.
            at: Where it holds; None where it has held at an earlier boundary, and notes no message.

        Raises:
            Problem: its message cannot be evaluated.
        """
        point, listener = state.point, self.listener
        state.met += 1
        if state.met <= point.ignore:
            listener.hit(point.number, stopped=False)
            return False
        if state.message is not None and at is not None:
            words = str(self._evaluate(state, state.message, at))
            listener.hit(point.number, stopped=False)
            listener.noted(point.number, at.boundary, words[:LONGEST_LOG])
            return False
        state.over = point.once
        listener.hit(point.number, stopped=True)
        return True

    def _verdict(self, state: State, condition: Condition, at: Arrival | AtLine, *, between: bool) -> bool:
        """Whether a condition holds at that boundary.

        Raises:
            Problem: it has raised.
        """
        index, verdict = state.verdict
        state.verdict = (-1, False)
        if index < 0 or index != at.boundary.index:
            return self._holds(state, condition, at, between=between)
        if isinstance(verdict, Problem):
            raise verdict
        return verdict

    def _holds(self, state: State, condition: Condition, at: Arrival | AtLine, *, between: bool) -> bool:
        """Whether a condition holds at that boundary, as far as is known without waiting for a device where the user
        allows that: what lies there is told at a later one.

        Raises:
            Problem: it has raised.
        """

        def at_once(where: Arrival | AtLine) -> bool:
            return bool(self._evaluate(state, condition, where, truth=True))

        if state.late is None or not self.late.applies:
            return at_once(at)
        after, may_wait = state.point.when == "after", between and state.message is None
        return self.late.holds(state.late, at, state.memory, after=after, may_wait=may_wait, at_once=at_once)

    def _evaluate(self, state: State, what: Condition, at: Arrival | AtLine, *, truth: bool = False) -> Any:
        """The value of a condition (whether it is true), or of a message.

        Raises:
            Problem: it has raised.
        """
        update = at.boundary.update if state.point.when == "after" else None
        try:
            found = self.evaluation.value(what, at, state.memory, update, is_true if truth else _as_it_is)
            self._waits(state, "")
            return found
        except Problem as problem:
            if problem.endless:
                raise Problem(f"{problem}; the breakpoint is switched off", endless=True) from None
            raise

    def _has_failed(self, state: State, problem: Problem, boundary: Boundary) -> str:
        """Tell of a problem, and stop for it once: why, in words. What never ends is not evaluated again. In the
        first updates there may be no loss yet: a condition that asks for it waits, and is said to.
        """
        if state.waits_for(problem, boundary.update):
            self._waits(state, str(problem))
            return ""
        again, state.failed = state.failed, True
        if again and not problem.endless:
            return ""
        state.over = problem.endless
        self.listener.failed(state.point.number, str(problem), off=problem.endless)
        return f"{in_words(state.point)}: {problem}"

    def _waits(self, state: State, why: str) -> None:
        if state.waits != why:
            state.waits = why
            self.listener.remarked(state.point.number, why and f"waits: {why}")


def _as_it_is(value: Any) -> Any:
    return value


def in_words(point: Breakpoint) -> str:
    """`breakpoint 2: before backward at update 40`; of a place that training was told to run to, that it is there."""
    if point.goal:
        return f"here is {goal_words(point)}, where you ran to"
    return f"breakpoint {point.number}: {describe(point)}"
