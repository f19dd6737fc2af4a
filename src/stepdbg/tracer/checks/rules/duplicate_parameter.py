"""A parameter is stepped twice with one gradient: it stands twice in an optimizer, or two optimizers hold it.

Two optimizers may share a parameter on purpose, each with a backward of its own (an adversarial autoencoder's encoder):
told is only a second step with a gradient that nothing has written since the first.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterable, Iterator

from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import groups_of, optimized_by, parameters_of_group


class DuplicateParameter(Rule):
    """The rule `duplicate-parameter`."""

    name = "duplicate-parameter"

    def __init__(self) -> None:
        self._stepped: dict[str, tuple[str, weakref.ref[Optimizer], Place | None]] = {}
        """The parameters that were stepped since their gradients were written: by which optimizer, and where."""
        self._steps = 0
        self._twice = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        for one in moment.effects:
            if one.kind == "grad":
                self._stepped.pop(one.object.removesuffix(".grad"), None)
        if moment.done == "zero_grad":  # what it does to a gradient of zeros is no effect
            self._stepped.clear()
        if moment.done != "step" or moment.skipped or moment.optimizer is None:
            return
        name, optimizer = moment.optimizer
        self._steps += 1
        yield from self._within(moment, name, optimizer)
        yield from self._between(moment, name, optimizer)

    def _within(self, moment: Moment, name: str, optimizer: Optimizer) -> Iterator[Finding]:
        """Of parameters that stand in one optimizer several times."""
        counts = Counter(map(id, optimized_by(optimizer)))
        names = moment.name_of
        twice = [names[key] for key, count in counts.items() if count > 1 and key in names]
        if not twice:
            return
        self._twice = True
        groups = [sum(id(one) in counts for one in parameters_of_group(group)) for group in groups_of(optimizer)]
        most = max(counts.values())
        yield self.finding(
            moment,
            f"{name} holds {some(twice)} {most} times, and steps {'them' if len(twice) > 1 else 'it'} as often with "
            "one gradient",
            objects=twice,
            place=moment.place,
            evidence=f"{sum(counts.values())} entries in {len(groups)} group{'s' if len(groups) > 1 else ''} of {name} "
            f"for {len(counts)} parameters",
            cause=f"the parameters that {name} was made of name {some(twice)} more than once",
            fix="give each parameter once: [*dict.fromkeys(parameters)] drops those that come again",
        )

    def _between(self, moment: Moment, name: str, optimizer: Optimizer) -> Iterator[Finding]:
        """Of parameters that several optimizers hold."""
        held = moment.held_by(optimizer)
        again = [one for one in held if one in self._stepped and self._stepped[one][1]() not in (optimizer, None)]
        if again:
            self._twice = True
            other, _, place = self._stepped[again[0]]
            yield self.finding(
                moment,
                f"{other} and {name} both step {some(again)} with the same gradient",
                objects=again,
                place=moment.place,
                evidence=f"{len(again)} of the {len(held)} parameters of {name} were stepped by {other} at "
                f"{at(place)}, and no backward has written their gradients since",
                cause=f"the parameters that {other} and {name} were made of both name {some(again)}",
                fix="let one optimizer hold each parameter",
            )
        for one in held:
            if moment.gradient_of(one) is not None:
                self._stepped[one] = name, weakref.ref(optimizer), moment.place

    def forget(self) -> None:
        self._stepped.clear()

    def right(self) -> str:
        return "no parameter is stepped twice with one gradient" if self._steps and not self._twice else ""
