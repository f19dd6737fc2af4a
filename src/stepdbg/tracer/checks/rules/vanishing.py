"""Gradients die out on their way to the first layers, or activations on their way to the last: they are smaller
there by orders of magnitude.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import LossGraph, kind
from stepdbg.tracer.checks.measured.saved_values import input_sizes, layers
from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.checks.rule import Rule

_RATIO = 1e-6
"""The first layers' gradients, each relative to its weight, are so small a part of the last layers'."""
_LAYERS, _STEPS = 6, 3
"""The fewest layers, and steps."""
_SQUASHING = {"SigmoidBackward": "sigmoid", "TanhBackward": "tanh", "SoftmaxBackward": "softmax"}


class Vanishing(Rule):
    """The rule `vanishing`."""

    name = "vanishing"
    severity = "warning"
    exact = False
    measured = True

    def __init__(self) -> None:
        self._order: dict[str, int] = {}
        """The weights of the layers of the loss's graph, by their distance from the data: the first is 0."""
        self._squashing: dict[str, int] = {}
        """The activations in the graph that flatten, and how many there are."""
        self._steps = 0
        self._found = 0

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.comes == "backward" and moment.graph is not None and self._steps <= _STEPS:
            self._note_order(moment, moment.graph)
            if not moment.updates:
                yield from self._activations(moment, moment.graph)
        if moment.done != "step" or not self.measures.steps or moment.skipped:
            return
        step = self.measures.steps[-1]
        sizes = [
            (self._order[name], name, one.gradient / one.weight, one.gradient)
            for name, one in step.norms.items()
            if name in self._order and one.weight > 0 and one.gradient > 0
        ]
        if step.update != moment.update or len(sizes) < _LAYERS:
            return
        self._steps += 1
        sizes.sort()
        quarter = max(1, len(sizes) // 4)
        first, last = sizes[:quarter], sizes[-quarter:]
        dies = max(one[2] for one in first) < _RATIO * min(one[2] for one in last)
        self._found = self._found + 1 if dies else 0
        if self._found == _STEPS:
            ratio = max(one[2] for one in first) / min(one[2] for one in last)
            each = (first[0][2] / last[-1][2]) ** (1 / (len(sizes) - 1))
            often = max(self._squashing, key=lambda one: self._squashing[one], default="")
            most = f", {self._squashing[often]} of them followed by {often}" if often else ""
            yield self.finding(
                moment,
                f"the gradients vanish on their way to {first[0][1]}",
                objects=[f"{one[1]}.grad" for one in first],
                place=moment.place_of("backward"),
                evidence=f"root mean square of {first[0][1]}.grad: {first[0][3]:.2g}, of {last[-1][1]}.grad: "
                f"{last[-1][3]:.2g}; relative to the weights the first are {ratio:.1g} of the last (threshold: "
                f"{_RATIO:g}), in {_STEPS} steps in a row",
                cause=f"each of {len(sizes)} layers passes {each:.2g} of the gradient on{most}",
                fix="use ReLU with kaiming_normal_ initialisation, normalisation between the layers, or skip "
                "connections",
            )

    def right(self) -> str:
        return "gradients reach the first layers" if self._steps >= _STEPS else ""

    def _activations(self, moment: Moment, graph: LossGraph) -> Iterator[Finding]:
        sizes = [*input_sizes(moment, graph)]
        if len(sizes) < _LAYERS or not 0 < sizes[-1][1] < _RATIO * sizes[0][1] < math.inf:
            return
        (first, large), (last, small) = sizes[0], sizes[-1]
        each = (small / large) ** (1 / (len(sizes) - 1))
        yield self.finding(
            moment,
            f"activations vanish from layer to layer: {large:.3g} go into {first}, {small:.3g} into {last}",
            objects=[first, last],
            place=moment.place_of("forward"),
            evidence=f"in root mean square the last are {small / large:.1g} of the first (threshold: {_RATIO:g}) over "
            f"{len(sizes)} layers, {each:.2g} a layer",
            cause=f"the weights are too small for their number of inputs: each layer multiplies by {each:.2g}",
            fix="initialise with kaiming_normal_ or xavier_uniform_, or normalise between the layers",
        )

    def _note_order(self, moment: Moment, graph: LossGraph) -> None:
        names = [moment.name_of.get(id(layer.weight), "") for layer in layers(graph)]
        order = [name for name in dict.fromkeys(names) if name]
        for place, name in enumerate(reversed(order)):
            self._order.setdefault(name, place)
        self._squashing = {}
        for node in graph.nodes:
            if name := _SQUASHING.get(kind(node), ""):
                self._squashing[name] = self._squashing.get(name, 0) + 1
