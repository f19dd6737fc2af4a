"""A step is made with a gradient that an earlier step has already used, and to which backward has added since.

Decided by order alone. Accumulation is legal: there no step lies between two additions. So is a gradient that nobody
has cleared and no second step uses, as the one that a discriminator's loss leaves in a generator.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.rule import Rule

_KEEPING = ("backward", "clip", "unscale", "step", "scheduler", "forward", "loss", "data", "eval")
"""Phases that clear no gradient."""


class StaleGradients(Rule):
    """The rule `stale-gradients`."""

    name = "stale-gradients"

    def __init__(self) -> None:
        self._used: dict[str, tuple[int, Place | None]] = {}
        """The parameters with whose gradient a step was made since it was cleared: update and place of the last."""
        self._added: set[str] = set()
        """Those of them to whose gradient backward has added since."""
        self._steps = 0
        """The number of steps that were looked at."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if not moment.done:
            return
        self._see_cleared(moment)
        if moment.done == "backward":
            changed = {one.object.removesuffix(".grad") for one in moment.by_call if one.kind == "grad"}
            self._added |= changed & self._used.keys()
        elif moment.done == "step" and moment.optimizer is not None and not moment.skipped:
            yield from self._of_step(moment, moment.held_by(moment.optimizer[1]))
            self._see_cleared(moment, after=True)
            self._see_zeros(moment)

    def _see_cleared(self, moment: Moment, *, after: bool = False) -> None:
        """Forget the gradients that somebody has cleared, replaced or written since the boundary before; of a step,
        those `after` its call apart from the others, since the step was made with them.
        """
        for one in moment.effects:
            if moment.done == "step" and one.after is not after:
                continue
            by_phase = not (one.after or one.before) and moment.done in _KEEPING
            if one.kind == "grad" and (one.what in ("freed", "created") or not by_phase):
                self._drop(one.object.removesuffix(".grad"))
        if moment.done == "zero_grad":  # what was zero before is not written by it
            held = moment.held_by(moment.optimizer[1]) if moment.optimizer is not None else [*self._used]
            for name in held:
                self._drop(name)

    def _see_zeros(self, moment: Moment) -> None:
        """Forget the gradients that have become zeros since the step began, whether in its call or after it."""
        for one in moment.effects:
            name = one.object.removesuffix(".grad")
            gradient = moment.gradient_of(name) if one.kind == "grad" and name in self._used else None
            if gradient is not None and gradient.layout is torch.strided and not bool(gradient.any()):
                self._drop(name)

    def _of_step(self, moment: Moment, held: list[str]) -> Iterator[Finding]:
        stale = [name for name in held if name in self._added]
        if stale:
            used, place = self._used[stale[0]]
            backward = moment.place_of("backward")
            yield self.finding(
                moment,
                f"this step uses gradients of update {used} again: backward at {at(backward)} has added to them, and "
                f"nothing has cleared them since the step at {at(place)}",
                objects=[f"{name}.grad" for name in stale],
                place=backward,
                evidence=f"{len(stale)} of {len(held)} gradients hold the sum of more than one step: {some(stale)}",
                cause=f"no zero_grad between the step at {at(place)} and the backward at {at(backward)}",
                fix="call optimizer.zero_grad() once for each step, before backward or after the step",
            )
        self._steps += 1
        for name in held:
            self._added.discard(name)
            if moment.gradient_of(name) is not None:
                self._used[name] = moment.update, moment.place

    def _drop(self, name: str) -> None:
        self._used.pop(name, None)
        self._added.discard(name)

    def forget(self) -> None:
        self._used.clear()
        self._added.clear()

    def right(self) -> str:
        return "no step uses the gradients of an earlier one" if self._steps > 1 else ""
