"""Units whose ReLU is zero on every input, and hidden activations that are saturated: no gradient goes through them.

Read off what the nodes of ReLU, sigmoid and tanh have saved, and only where they follow a layer: a hinge loss is a ReLU
that is zero when all is well.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import LossGraph, kind
from stepdbg.tracer.checks.measured.saved_values import LAYERS, NORMALISING, consumers, layers, saved
from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.checks.rule import Rule

_DEAD, _UNUSUAL = 0.9, 0.5
"""So many of a layer's units are zero on every input: a warning, and a fact."""
_UNITS, _INPUTS, _UPDATES = 16, 64, 5
"""The fewest units, inputs of a unit, and updates in a row."""
_SATURATED, _EDGE = 0.95, 0.01
"""So many activations lie so near the ends of their range."""
_AFTER = frozenset((*LAYERS, *NORMALISING, "AddBackward"))


@dataclass(slots=True)
class _Units:
    """An activation of a layer."""

    layer: str
    what: str
    place: Place | None
    alive: list[bool]
    """Whether each unit was not zero in this row of updates."""
    inputs: int = 0
    updates: int = 0
    last: int = 0
    flat: float = 1.0
    """The least part that was saturated."""
    told: bool = False


class DeadUnits(Rule):
    """The rule `dead-units`."""

    name = "dead-units"
    severity = "warning"
    exact = False

    def __init__(self) -> None:
        self._units: dict[tuple[str, str], _Units] = {}
        self._sound = 0

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.comes != "backward" or moment.graph is None:
            return
        update = moment.boundary.opens or moment.update
        for layer, what, values in _activations(moment, moment.graph):
            number = values.shape[-1] if values.dim() < 4 else values.shape[1]
            if number < _UNITS:
                continue
            seen = self._units.get((layer, what))
            if seen is None or len(seen.alive) != number or update - seen.last > 1:
                seen = self._units[layer, what] = _Units(layer, what, moment.place_of("forward"), [False] * number)
            seen.updates += seen.last != update
            seen.last = update
            seen.inputs += values.numel() // number
            if what == "relu":
                each = (values if values.dim() < 4 else values.transpose(1, -1)).reshape(-1, number)
                lives = (each != 0).any(dim=0).tolist()
                seen.alive = [one or other for one, other in zip(seen.alive, lives, strict=True)]
            else:
                seen.flat = min(seen.flat, _saturated(values, what))
            yield from self._judge(moment, seen)

    def end(self, moment: Moment) -> Iterable[Finding]:
        for one in self._units.values():
            dead = one.alive.count(False)
            unusual = one.what == "relu" and dead >= _UNUSUAL * len(one.alive) and self._enough(one)
            if unusual and not one.told:
                yield self._dead(moment, one, dead)

    def right(self) -> str:
        return "the units of hidden layers are alive" if self._sound else ""

    def _enough(self, one: _Units) -> bool:
        return one.updates >= _UPDATES and one.inputs >= _INPUTS

    def _judge(self, moment: Moment, one: _Units) -> Iterator[Finding]:
        if not self._enough(one) or one.told:
            return
        dead = one.alive.count(False)
        if one.what == "relu":
            if dead >= _DEAD * len(one.alive):
                one.told = True
                yield self._dead(moment, one, dead)
            elif dead >= _UNUSUAL * len(one.alive):
                return
        elif one.flat >= _SATURATED:
            one.told = True
            yield self.finding(
                moment,
                f"the {one.what} after {one.layer} is saturated: hardly any gradient goes through it",
                objects=[one.layer],
                place=one.place,
                evidence=f"{one.flat:.0%} of its outputs, or more, lie within {_EDGE:g} of the ends of its range, in "
                f"{one.updates} updates in a row (threshold: {_SATURATED:.0%})",
                cause=f"what {one.layer} gives to {one.what} is too large",
                fix=f"scale the inputs and initialise {one.layer} with smaller weights, or normalise before {one.what}",
            )
        if one.updates >= 2 * _UPDATES:  # who dies later is dead as well
            self._sound += not one.told
            one.alive, one.inputs, one.updates, one.flat = [False] * len(one.alive), 0, 0, 1.0

    def _dead(self, moment: Moment, one: _Units, dead: int) -> Finding:
        number = len(one.alive)
        bad = dead >= _DEAD * number
        return self.finding(
            moment,
            f"{dead} of {number} units after {one.layer} are dead: their ReLU is zero on every input",
            objects=[one.layer],
            place=one.place,
            evidence=f"they are zero on all of {one.inputs} inputs in {one.updates} updates in a row (threshold: "
            f"{_DEAD if bad else _UNUSUAL:.0%} of the units)",
            cause=f"what {one.layer} gives is below 0 for every input, and no gradient comes back through a ReLU at 0",
            fix="lower the learning rate, begin with a bias that is not below 0, scale the inputs, or use LeakyReLU",
            severity="warning" if bad else "info",
        )


def _activations(moment: Moment, graph: LossGraph) -> Iterator[tuple[str, str, torch.Tensor]]:
    """The layer, the kind and the values of each activation that follows a layer; of what flattens, those only that a
    layer follows.
    """
    takers = None
    below: dict[object, str] = {}
    for node in graph.of_kind("ReluBackward", "ThresholdBackward", "SigmoidBackward", "TanhBackward"):
        what = kind(node).removesuffix("Backward").lower()
        before = graph.before(node)
        if len(before) != 1 or kind(before[0]) not in _AFTER:
            continue
        below = below or {layer.node: moment.name_of.get(id(layer.weight), "") for layer in layers(graph)}
        name = _layer(graph, before[0], below)
        values = saved(node, "result")
        if not name or values is None or values.dim() < 2:
            continue
        if what in ("sigmoid", "tanh"):
            takers = takers or consumers(graph)
            if not any(kind(one) in LAYERS for one in takers.get(node, ())):
                continue
        yield name.removesuffix(".weight"), "relu" if what == "threshold" else what, values


def _layer(graph: LossGraph, node: object, below: dict[object, str]) -> str:
    """The weight of the layer that a node is, or stands right behind."""
    for _ in range(3):
        if node in below:
            return below[node]
        before = [one for one in graph.before(node) if type(one).__name__ != "AccumulateGrad"]
        if kind(node) not in _AFTER or len(before) != 1:
            return ""
        node = before[0]
    return ""


def _saturated(values: torch.Tensor, what: str) -> float:
    """The part of the values that lie at the ends of the range."""
    ends = (values.abs() > 1 - _EDGE) if what == "tanh" else ((values - 0.5).abs() > 0.5 - _EDGE)
    return float(ends.double().mean())
