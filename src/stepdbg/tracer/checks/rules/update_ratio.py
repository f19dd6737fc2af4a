"""Steps change weights by far more than they are, or by less than a number can tell."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import median

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.measured.steps import MeasuredStep, Norms
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule

_HIGH = 1.0
"""A step that changes weights by so much of their first size makes others of them."""
_UNUSUAL = 0.3
"""A fact from this on."""
_LOW = 1e-6
"""A step that changes every weight by less than this changes hardly any of its bits (float32 resolves 1.2e-7)."""
_STEPS = 8
"""The fewest steps."""
_GROWN = 1.5
"""What the loss has grown by where steps are said to be too large."""
_EXPLODING = 10.0
"""Steps that grow so much are another rule's."""
_TINY = 1e-4
"""Weights smaller than this begin at 0 on purpose."""


class UpdateRatio(Rule):
    """The rule `update-ratio`."""

    name = "update-ratio"
    severity = "warning"
    exact = False
    measured = True

    def __init__(self) -> None:
        self._usual = 0

    def end(self, moment: Moment) -> Iterable[Finding]:
        for name, steps in self.measures.by_optimizer().items():
            if len(steps) < _STEPS:
                continue
            weights = _weights(steps)
            high = {one: ratio for one in weights if (ratio := _against_first(steps, one)) >= _UNUSUAL}
            if weights and len(high) * 2 >= len(weights):
                yield self._too_large(moment, name, steps, high)
            elif weights and (sizes := _too_small(steps, weights)):
                yield from self._too_little(moment, name, steps, sizes)
            else:
                self._usual += bool(weights)

    def right(self) -> str:
        return "steps change the weights by a usual part of their size" if self._usual else ""

    def _too_large(self, moment: Moment, name: str, steps: list[MeasuredStep], high: dict[str, float]) -> Finding:
        worst = median(high.values())
        grown = self._loss_has_grown()
        bad = worst >= _HIGH and grown and not _growing(steps, [*high])
        rate = max(steps[-1].rates, default=math.nan)
        return self.finding(
            moment,
            f"each step of {name} changes weights by {worst:.2g} of what they were at first"
            + (", and the loss grows" if bad else ""),
            objects=[*high],
            place=steps[-1].place,
            evidence=f"median over {len(steps)} steps of the change, in root mean square, against the first weights: "
            f"{some([f'{ratio:.2g} of {one}' for one, ratio in high.items()])} (threshold: "
            f"{_HIGH if bad else _UNUSUAL:g}; usual is about 0.001)",
            cause=f"the learning rate of {rate:g} is too large for {steps[-1].kind}" if bad else "",
            fix=f"lower the learning rate: {rate / worst * 1e-3:.0e} would change the weights by 0.001 a step"
            if bad
            else "",
            severity="warning" if bad else "info",
            update=steps[-1].update,
        )

    def _too_little(
        self, moment: Moment, name: str, steps: list[MeasuredStep], sizes: list[float]
    ) -> Iterator[Finding]:
        first, rate = max(steps[0].rates, default=math.nan), max(steps[-1].rates, default=math.nan)
        if not 0 < rate <= first:  # a warm-up begins with little, and no rate at all is another rule's
            return
        yield self.finding(
            moment,
            f"the steps of {name} change no weight by more than {max(sizes):.2g} of its size",
            objects=[name],
            place=steps[-1].place,
            evidence=f"the largest change of a weight, in root mean square and relative to it, over {len(steps)} "
            f"steps: {max(sizes):.2g} (threshold: {_LOW:g}; usual is about 0.001, float32 resolves 1.2e-7)",
            cause=f"the learning rate of {rate:g} is too small for {steps[-1].kind}",
            fix=f"raise the learning rate: {rate / max(sizes) * 1e-3:.0e} would change the weights by 0.001 a step",
            update=steps[-1].update,
        )

    def _loss_has_grown(self) -> bool:
        """Whether every loss has grown since the first updates, none fallen."""
        found = []
        for losses in self.measures.by_loss().values():
            values = [one.value for one in losses]
            if len(values) >= _STEPS:
                found.append(median(values[-(len(values) // 3) :]) >= _GROWN * values[0] > 0)
        return bool(found) and all(found)


def _weights(steps: list[MeasuredStep]) -> list[str]:
    """What has two dimensions or more and did not begin at 0."""
    return [
        name for name, one in steps[0].norms.items() if one.dimensions > 1 and one.weight > _TINY and one.elements > 3
    ]


def _all(steps: list[MeasuredStep], name: str) -> list[Norms]:
    return [step.norms[name] for step in steps if name in step.norms]


def _against_first(steps: list[MeasuredStep], name: str) -> float:
    found = _all(steps, name)
    return median([one.change / found[0].weight for one in found])


def _growing(steps: list[MeasuredStep], weights: list[str]) -> bool:
    """Whether the steps themselves grow and grow: `exploding` tells of that."""
    third = len(steps) // 3
    sizes = [max(step.norms[name].change for name in weights if name in step.norms) for step in steps]
    return median(sizes[-third:]) > _EXPLODING * median(sizes[:third])


def _too_small(steps: list[MeasuredStep], weights: list[str]) -> list[float]:
    """The largest change of each weight relative to it, where all are too small though there are gradients; else
    nothing.
    """
    found = []
    for name in weights:
        own = _all(steps, name)
        sizes = [one.change / one.weight for one in own if one.weight > 0]
        if not sizes or max(sizes) >= _LOW:
            return []
        if median([one.gradient / max(one.weight, _TINY) for one in own]) > _LOW and max(sizes) > 0:
            found.append(max(sizes))
    return found
