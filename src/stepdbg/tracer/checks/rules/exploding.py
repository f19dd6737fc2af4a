"""Losses and gradients grow from update to update, or activations from layer to layer, by orders of magnitude."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from statistics import median

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import LossGraph
from stepdbg.tracer.checks.measured.saved_values import input_sizes
from stepdbg.tracer.checks.measured.steps import MeasuredLoss, MeasuredStep
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.rule import Rule

_LOSSES, _GRADIENTS = 1000.0, 100.0
"""Growth of a loss, and of the gradients with it, from the first updates to the newest."""
_LAYERS = 1e4
"""Growth of activations from the first layer to the last..."""
_FEWEST = 5
"""...of so many layers; and the updates that are awaited."""


class Exploding(Rule):
    """The rule `exploding`."""

    name = "exploding"
    severity = "warning"
    exact = False
    measured = True

    def __init__(self) -> None:
        self._told = False
        self._looked_into: set[object] = set()

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.comes == "backward" and not moment.updates and moment.here not in self._looked_into:
            self._looked_into.add(moment.here)
            if moment.graph is not None:
                yield from self._over_layers(moment, moment.graph)
        if moment.done == "step" and not self._told:
            yield from self._over_updates(moment)

    def right(self) -> str:
        updates = [one.update for one in self.measures.losses]
        return "losses and gradients do not explode" if len({*updates}) > _FEWEST else ""

    def _over_updates(self, moment: Moment) -> Iterator[Finding]:
        for steps in self.measures.by_optimizer().values():
            sizes = [size for one in steps if (size := _gradient(one)) > 0]
            if len(sizes) < _FEWEST or not _grown(sizes, _GRADIENTS):
                continue
            for place, own in self.measures.by_loss().items():
                values = [abs(one.value) for one in own]
                if len(values) >= _FEWEST and _grown(values, _LOSSES):
                    self._told = True
                    yield self._grows(moment, own, steps, sizes, place)
                    return

    def _grows(
        self,
        moment: Moment,
        losses: list[MeasuredLoss],
        steps: list[MeasuredStep],
        sizes: list[float],
        place: tuple[str, int] | None,
    ) -> Finding:
        values = [abs(one.value) for one in losses]
        rate = max(steps[-1].rates, default=math.nan)
        ratios = [one.change / one.weight for step in steps for one in step.norms.values() if one.weight > 0]
        ratio = median(ratios) if ratios else math.nan
        return self.finding(
            moment,
            f"training diverges: {losses[0].name} grew from {values[0]:.3g} to {values[-1]:.3g} in "
            f"{losses[-1].update - losses[0].update + 1} updates",
            objects=[losses[0].name],
            place=moment.place,
            evidence=f"the loss grew {values[-1] / median(values[:3]):.3g} times (threshold: {_LOSSES:g}), the "
            f"gradients {sizes[-1] / median(sizes[:3]):.3g} times (threshold: {_GRADIENTS:g}); backward is called at "
            f"{at(place)}",
            cause=f"the steps of {steps[-1].optimizer} are too large: with lr {rate:g} a step changes a parameter by "
            f"{ratio:.2g} of its size",
            fix="lower the learning rate by a factor of 10 or more, warm it up, or clip the gradients",
        )

    def _over_layers(self, moment: Moment, graph: LossGraph) -> Iterator[Finding]:
        sizes = [*input_sizes(moment, graph)]
        if len(sizes) < _FEWEST or not 0 < sizes[0][1] < math.inf or not sizes[-1][1] < math.inf:
            return
        (first, small), (last, large) = sizes[0], sizes[-1]
        if large < _LAYERS * max(small, 1e-6):
            return
        each = (large / small) ** (1 / (len(sizes) - 1))
        yield self.finding(
            moment,
            f"activations grow from layer to layer: {small:.3g} go into {first}, {large:.3g} into {last}",
            objects=[first, last],
            place=moment.place_of("forward"),
            evidence=f"in root mean square they grow {large / small:.3g} times over {len(sizes)} layers (threshold: "
            f"{_LAYERS:g}), {each:.2g} times a layer",
            cause=f"the weights are too large for their number of inputs: each layer multiplies by {each:.2g}",
            fix="initialise with kaiming_normal_ or xavier_uniform_, or normalise between the layers",
        )


def _gradient(step: MeasuredStep) -> float:
    """The norm of all gradients of a step."""
    return math.sqrt(sum(one.gradient**2 * one.elements for one in step.norms.values() if one.gradient == one.gradient))


def _grown(values: list[float], times: float) -> bool:
    """Whether the newest three are all so many times as large as the first three were, and the last two grow."""
    first = median(values[:3])
    newest = values[-3:]
    return first > 0 and min(newest) >= times * first and values[-1] > values[-2] > values[-3]
