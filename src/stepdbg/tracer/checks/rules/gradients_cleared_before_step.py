"""Gradients are cleared after backward, and then a step is made with no backward in between: the step has nothing.

Told when all that an optimizer's step had got since its last one was cleared, twice in a row (a script may clear what
is not finite, once in a while), or in each step that was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.places import line_that_sets
from stepdbg.tracer.checks.reached.gradient_uses import Gradient, GradientUses
from stepdbg.tracer.checks.rule import Rule


class GradientsClearedBeforeStep(Rule):
    """The rule `gradients-cleared-before-step`."""

    name = "gradients-cleared-before-step"

    def __init__(self) -> None:
        self._uses = GradientUses()
        self._in_a_row: dict[int, int] = {}
        """For each optimizer, by `id`, how many of its last steps have got nothing."""
        self._steps: dict[int, int] = {}
        """How many steps each has made."""
        self._first: dict[int, Finding] = {}
        """The first of these, until it is told."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if not moment.done:
            return
        self._uses.see(moment)
        if moment.done == "step" and "step" not in moment.inside and moment.optimizer and not moment.skipped:
            yield from self._of_step(moment, *moment.optimizer)
        self._uses.see_after(moment)

    def end(self, moment: Moment) -> Iterable[Finding]:
        return [one for key, one in self._first.items() if self._in_a_row.get(key) == self._steps.get(key)]

    def _of_step(self, moment: Moment, name: str, optimizer: Optimizer) -> Iterator[Finding]:
        key = id(optimizer)
        held = moment.held_by(optimizer)
        known = self._uses.of(held)
        cleared = {one: gradient for one, gradient in known.items() if gradient.cleared and key not in gradient.used}
        ready = [one for one, gradient in known.items() if not gradient.cleared]
        self._steps[key] = self._steps.get(key, 0) + 1
        self._in_a_row[key] = self._in_a_row.get(key, 0) + 1 if cleared and not ready else 0
        if cleared and not ready:
            found = self._first.setdefault(key, self._told(moment, name, cleared, len(held)))
            if self._in_a_row[key] > 1:
                yield found
        else:
            self._first.pop(key, None)
        self._uses.use(held, optimizer, moment.place)

    def _told(self, moment: Moment, name: str, cleared: dict[str, Gradient], held: int) -> Finding:
        one = next(iter(cleared.values()))
        backward = at(one.written) or "no backward"
        where = one.where or line_that_sets(moment, "grad")
        doer = f"{one.by or 'the script'} at {at(where)}" if where else "the script"
        return self.finding(
            moment,
            f"{name} makes its steps with cleared gradients: {doer} clears what the backward at {backward} has "
            f"written, before the step at {at(moment.place)} can use it",
            objects=[f"{parameter}.grad" for parameter in cleared],
            place=where or moment.place,
            evidence=f"{len(cleared)} of the {held} parameters of {name} had a gradient that no step has used and "
            "that was cleared, and none had another",
            cause=f"{doer if where else 'what clears them'} comes between the backward at {backward} and the step at "
            f"{at(moment.place)}",
            fix="clear the gradients before backward, or after the step",
        )

    def forget(self) -> None:
        self._uses.forget()
        self._in_a_row.clear()
        self._steps.clear()
        self._first.clear()

    def right(self) -> str:
        return "no gradient is cleared between backward and step" if any(self._steps.values()) else ""
