"""A step is made with no new gradient since the last, and with nothing cleared: it uses the same gradients again. Or
backward is never called at all, and the steps change nothing.

Decided by order. An optimizer within another's step (a wrapper) is left out; so is one that needs no gradients, since
its steps change parameters.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, at, some
from stepdbg.tracer.checks.reached.gradient_uses import Gradient, GradientUses
from stepdbg.tracer.checks.rule import Rule


class StepWithoutBackward(Rule):
    """The rule `step-without-backward`."""

    name = "step-without-backward"

    def __init__(self) -> None:
        self._uses = GradientUses()
        self._steps = 0
        self._gets_none: Finding | None = None
        """The first step, as long as neither a backward nor a gradient was seen, and no step has changed anything."""
        self._backward = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        if not moment.done:
            return
        self._uses.see(moment)
        self._backward = self._backward or moment.done == "backward" or moment.comes == "backward"
        self._backward = self._backward or any(one.kind == "grad" for one in moment.effects)
        if moment.done == "step" and "step" not in moment.inside and moment.optimizer and not moment.skipped:
            yield from self._of_step(moment, *moment.optimizer)
        self._uses.see_after(moment)

    def end(self, moment: Moment) -> Iterable[Finding]:
        return [self._gets_none] if self._gets_none is not None and self._steps > 1 and not self._backward else []

    def _of_step(self, moment: Moment, name: str, optimizer: Optimizer) -> Iterator[Finding]:
        held = moment.held_by(optimizer)
        known = self._uses.of(held)
        again = {one: gradient for one, gradient in known.items() if _is_used(gradient, optimizer)}
        if known and len(again) == len(known) and any(f"{one}.grad" in (moment.before or ()) for one in again):
            yield self._twice(moment, name, again, optimizer)
        self._steps += 1
        changed = any(one.kind == "parameter" for one in moment.effects)
        if self._steps == 1 and not changed and not any(moment.gradient_of(one) is not None for one in held):
            self._gets_none = self._never(moment, name, held)
        elif changed:
            self._gets_none = None
        self._uses.use(held, optimizer, moment.place)

    def _twice(self, moment: Moment, name: str, again: dict[str, Gradient], optimizer: object) -> Finding:
        one = next(iter(again.values()))
        before, backward = one.used[id(optimizer)], one.written
        other = before != moment.place
        both = f"the steps at {at(before)} and {at(moment.place)}" if other else f"two steps at {at(before)}"
        return self.finding(
            moment,
            f"{name} makes a second step with the same gradients: no backward lies between {both}",
            objects=[f"{parameter}.grad" for parameter in again],
            place=moment.place,
            evidence=f"nothing has written or cleared the {len(again)} gradients of {name} since the step before "
            f"({some(again)})" + (f"; the last backward is that at {at(backward)}" if backward else ""),
            cause=f"the step at {at(before)} has already used these gradients"
            if other
            else f"{name}.step() is called more often than backward",
            fix="make one step for each backward" + (f": leave out one of {both}" if other else ""),
        )

    def _never(self, moment: Moment, name: str, held: list[str]) -> Finding:
        return self.finding(
            moment,
            f"{name} makes steps, and backward is never called: no parameter ever gets a gradient",
            objects=held,
            place=moment.place,
            evidence=f"none of the {len(held)} parameters of {name} has a gradient, and no step has changed one",
            cause=f"no backward comes before the step at {at(moment.place)}",
            fix="call loss.backward() before the step",
        )

    def forget(self) -> None:
        self._uses.forget()
        self._gets_none = None

    def right(self) -> str:
        return "each step comes after a backward of its own" if self._steps > 1 else ""


def _is_used(gradient: Gradient, optimizer: object) -> bool:
    return not gradient.cleared and id(optimizer) in gradient.used
