"""The watches of this process: when each is evaluated, and what is kept of what it gives.

A value is kept for each update that is sampled: at the boundary after its last step, before whatever follows on it.
There the gradients are those that the step was made with, and what the script has worked out after the step is there as
well. Whether training stops at that boundary makes no difference: a stepped run and a free one have the same history.
At any other stop a watch is evaluated for that stop alone: what it remembers (`ratio`, `changed`, `ema`) is the last
sample.
"""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol import messages as m
from stepdbg.protocol.page import WATCHES
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.conditions.condition import Condition
from stepdbg.tracer.breakpoints.conditions.evaluation import Evaluation, Problem
from stepdbg.tracer.breakpoints.conditions.vocabulary import Memory
from stepdbg.tracer.introspect.unobserved import uncollected
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.tensors.devices import capturing
from stepdbg.tracer.watches.pace import SamplingPace, was_last_step
from stepdbg.tracer.watches.reading import read

SHARE = 0.01
"""The share of training's time that samples may take."""


class Watches:
    """The watches that hold in this process.

    Args:
        evaluation: Evaluates their expressions.
        phases: Where training is; in a free run as it was some moments ago.
        rank: This process in the session.
    """

    def __init__(self, evaluation: Evaluation, phases: PhaseTracker, rank: Rank) -> None:
        self._evaluation, self._phases, self._rank = evaluation, phases, rank
        self._states: dict[int, _State] = {}
        self.pace = SamplingPace(SHARE)
        self._sampled = 0
        """The update that was sampled last."""
        self._sample: tuple[int, dict[int, m.WatchValue]] = (0, {})
        """The boundary of the last sample, by its index, and what it gave."""
        self.any = False
        """Whether any watch is switched on."""
        self.reads_loss = False
        """Whether any of them reads the loss."""
        self.are_simple = True
        """Whether none of them runs anybody's code."""

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""
        self._sampled, self._sample, self.pace = 0, (0, {}), SamplingPace(SHARE)
        for state in self._states.values():
            state.memory = Memory()

    def hold(self, watches: Iterable[m.Watch]) -> None:
        """These watches hold from now on; one that held already goes on from what it has kept."""
        before, self._states = self._states, {}
        with uncollected():  # what Python remarks on an expression is not for the script's stderr
            for watch in watches:
                state = before.get(watch.number) or self._made(watch)
                if state is not None:
                    state.on = watch.enabled
                    self._states[watch.number] = state
        if before.keys() != self._states.keys():
            self.pace = SamplingPace(SHARE)
        on = [state for state in self._states.values() if state.on]
        self.any = bool(on)
        self.reads_loss = any("loss" in state.what.names for state in on)
        self.are_simple = all(state.what.is_simple for state in on)

    def _made(self, watch: m.Watch) -> _State | None:
        """The state of a new watch; None where this Python does not understand it, which is told."""
        try:
            return _State(watch)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if watch.enabled:
                self._rank.link.send(m.WatchFailed(watch.number, f"{type(error).__name__}: {error}", off=True))
            return None

    # samples

    @property
    def due(self) -> bool:
        """Whether a free run is to be sampled when the update that it is in is done."""
        update = self._phases.update
        return self.any and update != self._sampled and update >= self.pace.due

    def sample(self, at: Arrival, *, free: bool) -> None:
        """Take a value of each watch, if the step that has just been done is the last one of an update to be sampled.

        Args:
            at: Where training is: a step lies behind.
            free: Whether nobody steps: then not every update is sampled.
        """
        update = self._phases.update
        if not self.any or update == self._sampled or (free and not self.due) or capturing():
            return
        if not was_last_step(self._phases):
            return
        self.pace.begin()
        self._sampled = update
        taken = {number: self._value(state, at, state.memory) for number, state in self._states.items() if state.on}
        self._sample = (at.boundary.index, taken)
        for value in taken.values():
            self._hand_on(update, value, at)
        self.pace.sampled(update)
        if not free:
            self.pace.waited()

    def _hand_on(self, update: int, value: m.WatchValue, at: Arrival) -> None:
        """Hand a value on to the hub: a number by the page, a problem where it is another than before."""
        page, state = self._rank.page, self._states[value.watch]
        if value.value is not None and page is not None:
            page.add_losses(((update, WATCHES + value.watch, value.value),))
        if value.problem != state.told and at.frame is not None:  # at the end of a script its functions' are gone
            state.told = value.problem
            self._rank.link.send(m.WatchFailed(value.watch, value.problem))

    # stops

    def at_stop(self, at: Arrival) -> tuple[m.WatchValue, ...]:
        """What each watch gives at a stop, which is a sample where an update is done."""
        boundary = at.boundary
        if boundary.done == "step" and not boundary.inside:
            self.sample(at, free=False)
        self.pace.waited()
        index, taken = self._sample
        known = taken if index == at.boundary.index else {}
        on = [(number, state) for number, state in self._states.items() if state.on]
        return tuple(known.get(number) or self._value(state, at, state.memory.copy()) for number, state in on)

    def changed(self) -> None:
        """Something was changed where training waits: what was taken there is not what it gives any more."""
        self._sample = (0, {})

    def try_out(self, expression: str, at: Arrival) -> m.WatchValue:
        """What an expression gives at a stop, with nothing kept of it.

        Raises:
            SyntaxError, ValueError: it is no expression.
        """
        with uncollected():
            state = _State(m.Watch(0, expression))
        return self._value(state, at, state.memory)

    def _value(self, state: _State, at: Arrival, memory: Memory) -> m.WatchValue:
        """What a watch gives. One that does not end is not evaluated again."""
        number = state.number
        try:
            value, text = self._evaluation.value(state.what, at, memory, at.boundary.update, read)
        except Problem as problem:
            if problem.endless and number:
                state.on = False
                state.told = f"{problem}; it is switched off"
                self._rank.link.send(m.WatchFailed(number, state.told, off=True))
            return m.WatchValue(number, problem=str(problem))
        return m.WatchValue(number, value, text)


class _State:
    """What is known of one watch while it holds."""

    def __init__(self, watch: m.Watch) -> None:
        self.number = watch.number
        self.what = Condition(watch.expression)
        self.memory = Memory()
        self.on = watch.enabled
        self.told = ""
        """The problem that the hub was told of last; empty where it was told that there is none."""
