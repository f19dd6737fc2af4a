"""A scheduler moves when it should not: before the first step, in each micro-batch, or per batch and per epoch at once.

A step that a scaler skips counts as one. A scheduler that a library moves several times in a row (accelerate, once for
each process) is legal: told is only a second move with a backward, and no step, in between.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from torch.optim.lr_scheduler import CosineAnnealingLR

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, Place, at
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.safe_access import is_a


@dataclass
class _Seen:
    """What is known of one scheduler."""

    scheduler: weakref.ref[Any]
    moves: int = 0
    since: int = -1
    """The steps that had been made when it moved last."""
    backwards: int = 0
    """The backwards that had been made when it moved last."""
    places: list[Place] = field(default_factory=list)
    """Where it was moved from, in the order in which that changed."""
    twice: bool = False
    """Whether it was moved from two lines with no step in between."""
    epoch: int | None = None
    """The epoch in which it began to be moved."""
    early: tuple[Place | None, int] | None = None
    """Where it was moved first, if that was before any step, and how many backwards had been made by then."""


class SchedulerBeforeStep(Rule):
    """The rule `scheduler-before-step`."""

    name = "scheduler-before-step"

    def __init__(self) -> None:
        self._seen: dict[int, _Seen] = {}
        self._steps = self._backwards = 0
        self._newest = ""
        """Which of the two came last."""
        self._wrong = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._steps += moment.done == "step" and moment.optimizer is not None
        self._backwards += moment.done == "backward"
        if moment.done in ("step", "backward"):
            self._newest = moment.done
        scheduler = moment.call.get("self") if moment.comes == "scheduler" else None
        if scheduler is None:
            return
        seen = self._seen.get(id(scheduler))
        if seen is None or seen.scheduler() is not scheduler:
            seen = self._seen[id(scheduler)] = _Seen(weakref.ref(scheduler), epoch=moment.boundary.epoch)
        place = moment.here
        if place is not None and (not seen.places or seen.places[-1] != place):
            seen.twice = seen.twice or (bool(seen.places) and seen.since == self._steps > 0)
            seen.places.append(place)
        kind = type.__dict__["__name__"].__get__(type(scheduler))
        for finding in self._of(moment, scheduler, kind, seen):
            self._wrong = True
            yield finding
        if not seen.moves and not self._steps:
            seen.early = place, self._backwards
        seen.moves, seen.since, seen.backwards = seen.moves + 1, self._steps, self._backwards

    def _of(self, moment: Moment, scheduler: object, kind: str, seen: _Seen) -> Iterator[Finding]:
        if seen.moves and seen.since == self._steps > 0 and self._backwards > seen.backwards:
            yield self.finding(
                moment,
                f"{kind} moves in each micro-batch: more often than the optimizer steps",
                evidence=f"a backward and no step since it moved last ({self._backwards} backwards, {self._steps} "
                "steps so far)",
                cause=f"scheduler.step() at {at(moment.here)} stands outside of the condition that the step stands in",
                fix="call scheduler.step() where optimizer.step() is called",
            )
        elif self._comes_before(moment, seen):
            yield self.finding(
                moment,
                f"{kind} moves before the step that it is meant to follow: the first learning rate is never used",
                evidence=f"its first move came after 0 steps, this one, its {seen.moves + 1}th, after {self._steps}",
                cause=f"scheduler.step() at {at(moment.here)} comes before optimizer.step() at "
                f"{at(moment.place_of('step'))}",
                fix="call scheduler.step() after optimizer.step()",
            )
        elif seen.twice and len(seen.places) >= 3 and len(set(seen.places)) > 1:
            one, other = [*dict.fromkeys(seen.places)][:2]
            yield self.finding(
                moment,
                f"{kind} is moved from two places in turn, {at(one)} and {at(other)}: per batch and per epoch at once",
                evidence=f"{seen.moves + 1} moves from {len(set(seen.places))} lines",
                cause=f"the scheduler is moved at {at(other)} although it is moved at {at(one)} as well",
                fix="keep the one that its period is meant for: epochs, or updates",
            )
        elif is_a(scheduler, CosineAnnealingLR) and moment.boundary.epoch is not None:
            yield from self._of_cosine(moment, scheduler, seen)

    def _comes_before(self, moment: Moment, seen: _Seen) -> bool:
        """Whether each move comes before a step, as the first one did: at the same line, between a backward and its
        step, or before anything else of the update.
        """
        if seen.early is None or seen.early[0] != moment.here or self._steps == seen.since:
            return False
        return self._newest == "backward" or not seen.early[1]

    def _of_cosine(self, moment: Moment, scheduler: object, seen: _Seen) -> Iterator[Finding]:
        """Of one whose period is over within the first epoch, while it is moved per update: the rate climbs again."""
        own: Any = object.__getattribute__(scheduler, "__dict__")
        period, moved = own.get("T_max"), own.get("last_epoch")
        if type(period) is int and type(moved) is int and moved == period and seen.epoch == moment.boundary.epoch:
            if seen.moves < period - 1:
                return
            yield self.finding(
                moment,
                f"CosineAnnealingLR has come to the end of its period of {period} within the first epoch: from here "
                "the learning rate climbs again",
                evidence=f"T_max={period}, and {moved} moves in epoch {moment.boundary.epoch}",
                cause=f"T_max counts epochs, and scheduler.step() at {at(moment.here)} is called for each batch",
                fix="call scheduler.step() once an epoch, or give T_max in updates",
                severity="warning",
            )

    def forget(self) -> None:
        self._seen.clear()
        self._steps = self._backwards = 1_000_000 if self._steps else 0

    def right(self) -> str:
        return (
            "schedulers move after steps" if any(one.moves for one in self._seen.values()) and not self._wrong else ""
        )
