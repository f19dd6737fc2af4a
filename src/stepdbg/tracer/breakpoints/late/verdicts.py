"""Conditions that were asked of a device, and what has come of them a boundary later, or some more.

A condition is asked where its breakpoint's place is, as ever. Where its truth lies on a device, that is sent for and
picked up at a later boundary, when it has arrived; where it does not, it is known at once. What cannot be asked so,
since Python needs a number on the way, waits as ever.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

import msgspec
import torch

from stepdbg.tracer.breakpoints.arrival import Arrival, AtLine
from stepdbg.tracer.breakpoints.conditions.condition import Condition
from stepdbg.tracer.breakpoints.conditions.evaluation import Evaluation, Problem
from stepdbg.tracer.breakpoints.conditions.vocabulary import Memory
from stepdbg.tracer.breakpoints.late.truth import Verdict, is_of_words, truth_of
from stepdbg.tracer.breakpoints.late.unwaiting import Unwaiting
from stepdbg.tracer.breakpoints.late.words import LateVocabulary
from stepdbg.tracer.breakpoints.reports import Listener
from stepdbg.tracer.session.on_the_way import OnTheWay, can_travel
from stepdbg.tracer.tensors import devices

_UNDERWAY = 64
"""So many verdicts may be on their way; beyond it a condition waits."""


@dataclass(slots=True)
class Asked:
    """A condition whose truth is on its way."""

    condition: Condition
    index: int
    """The index of the boundary at which it was asked."""
    update: int | None
    """The update that it was asked in; None where that is known at the next boundary only."""


class Late:
    """How the condition of a breakpoint is asked without waiting, and whether it can be.

    Args:
        number: The breakpoint.
        condition: Its condition.
        source: The same, as it is written.
    """

    def __init__(self, number: int, condition: Condition, source: str) -> None:
        self.number, self.condition = number, condition
        self.truth = truth_of(source)
        self.is_safe = is_of_words(source)
        """Whether nothing of it can wait."""
        self.waits = False
        """Whether it waits for the device, since it cannot be asked otherwise."""
        self.known = False
        """Whether it was asked before."""
        self.far = True
        """Whether its truth has lain on a device when it was asked last, as far as is known."""


class LateVerdicts:
    """What was asked of devices and has not been told.

    Args:
        evaluation: Evaluates expressions.
        listener: Is told which conditions wait.
    """

    def __init__(self, evaluation: Evaluation, listener: Listener) -> None:
        self._evaluation, self._listener = evaluation, listener
        self.allowed = False
        """Whether the user allows conditions to be read late."""
        self.free = False
        """Whether training runs freely: else it waits at each boundary anyway."""
        self.loss: Callable[[], torch.Tensor | None] = lambda: None
        """The newest loss where it lies on a device: one number, float64; None where it does not."""
        self.newest_loss: Callable[[], float | None] = lambda: None
        """Waits for the newest loss."""
        self._underway = OnTheWay[Asked](_UNDERWAY)
        self._holding: list[Asked] = []
        """Those that have arrived, and hold."""

    @property
    def applies(self) -> bool:
        """Whether conditions are asked without waiting just now."""
        return self.allowed and self.free and devices.in_use()

    @property
    def awaited(self) -> bool:
        """Whether the next boundary has to be looked at, since something may have arrived by then."""
        return bool(self._underway or self._holding)

    def forget(self) -> None:
        """Nothing was asked."""
        self._underway.forget()
        self._holding.clear()

    def may_hold(self, late: Late, at: Arrival, memory: Memory) -> bool:
        """Whether a condition may hold at a boundary, near where it would be asked; where not, that is certain."""
        if late.far:
            return True
        try:
            found = self._ask(late, at, memory.copy(), None)
        except (_Waits, Problem):
            return True
        return isinstance(found, torch.Tensor) or found

    def holds(
        self,
        late: Late,
        at: Arrival | AtLine,
        memory: Memory,
        *,
        after: bool,
        may_wait: bool,
        at_once: Callable[[Arrival | AtLine], bool],
    ) -> bool:
        """Whether a condition holds at a boundary, as far as is known without waiting; what is not arrives later.

        Args:
            late: How it is asked.
            at: The boundary.
            memory: What it has kept from the times before; what it keeps from this one is added.
            after: Whether its breakpoint is after a phase.
            may_wait: Whether its truth may be told at a later boundary.
            at_once: Evaluates it as ever.

        Raises:
            Problem: it has raised.
        """
        why = ""
        if not late.waits and (may_wait or not late.known):
            late.known, kept = True, memory.copy()
            try:
                found = self._ask(late, at, kept, at.boundary.update if after else None)
            except _Waits as waits:
                why = str(waits)
            else:
                late.far = isinstance(found, torch.Tensor)
                if not isinstance(found, torch.Tensor):
                    memory.take_over(kept)
                    return found
                why = "" if may_wait else "only between two phases, and with no message, can it be read late"
                if not why and self._send_for(found, Asked(late.condition, at.boundary.index, _update(at, after))):
                    memory.take_over(kept)
                    return False
        if "loss" in late.condition.names and isinstance(at, Arrival):
            at = at._replace(boundary=msgspec.structs.replace(at.boundary, loss=self.newest_loss()))
        held = at_once(at)
        if why:
            late.waits = True
            self._listener.remarked(late.number, f"waits for the device: {why}")
        return held

    def _ask(self, late: Late, at: Arrival | AtLine, memory: Memory, update: int | None) -> Verdict:
        """Whether a condition is true: where that lies on a device, a tensor there.

        Raises:
            _Waits: that cannot be told without waiting, or it has raised; the text says which.
            Problem: it did not end.
        """
        mode, words = Unwaiting(), partial(LateVocabulary, loss=self.loss)
        within = nullcontext() if late.is_safe else mode
        try:
            found = self._evaluation.truth(late.condition, late.truth, at, memory, update, within, words)
        except Problem as problem:
            if problem.endless:
                raise Problem(f"{problem}; the breakpoint is switched off", endless=True) from None
            raise _Waits(_NUMBER if mode.refused else str(problem)) from None
        if mode.refused:  # the script's own code has gone on with something else
            raise _Waits(_NUMBER)
        if isinstance(found, torch.Tensor) and not can_travel(found.device):
            raise _Waits(f"{found.device.type} has no events")
        return found

    def _send_for(self, truth: torch.Tensor, asked: Asked) -> bool:
        try:
            return not devices.capturing() and self._underway.send_for(truth, asked)
        except RuntimeError:  # no pinned memory, or an error of the user's that the device has kept until now
            return False

    def arrive(self, update: int, *, wait: bool = False) -> bool:
        """Pick up what has arrived, or, where training waits anyhow, all of it.

        Args:
            update: The update of the phase that began at the boundary before.
            wait: Wait for all.

        Returns:
            Whether any condition holds that was asked.
        """
        try:
            for asked in self._underway.pending():
                if asked.update is None:
                    asked.update = update
            self._holding += [asked for asked, truth in self._underway.arrived(wait=wait) if bool(truth)]
        except Exception:  # an error of the user's that the device has kept until now: it is met at their line
            self._underway.forget()
        return bool(self._holding)

    def take(self) -> Iterator[Asked]:
        """Those that have arrived and hold, each once."""
        while self._holding:
            yield self._holding.pop(0)


def late_words(asked: Asked, index: int) -> str:
    """`, one boundary late (it held in update 7)`, at the boundary of that index; empty at its own."""
    count = index - asked.index
    if not count:
        return ""
    where = f" (it held in update {asked.update})" if asked.update is not None else ""
    return f", {'one boundary' if count == 1 else f'{count} boundaries'} late{where}"


class _Waits(Exception):
    """A condition cannot be asked without waiting; the text says why."""


_NUMBER = "Python needs a number of it on the way"


def _update(at: Arrival | AtLine, after: bool) -> int | None:
    """The update that a condition is evaluated in, where that is known: of what comes next it may not be."""
    boundary = at.boundary
    if after or boundary.opens is not None:
        return boundary.update if after else boundary.opens
    return boundary.update if boundary.next is not None else None
