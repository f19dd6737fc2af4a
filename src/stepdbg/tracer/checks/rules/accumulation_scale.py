"""Accumulated gradients are not those of the joined batch: not divided by the number of micro-batches, or each averaged
over its own tokens though these differ in number.

Nothing is run for it. What a sample weighs in the gradient is read off the graphs of the losses: each is a loss node of
known reduction, times a number. In the mean over the joined batch all weigh the same, and together 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from stepdbg.protocol.messages import Finding, FindingSeverity
from stepdbg.tracer.checks.loss_graph import kind
from stepdbg.tracer.checks.measured.known_losses import known_loss, own_value
from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.graph.walk import node_of
from stepdbg.tracer.tensors.readable import ORDINARY
from stepdbg.tracer.tensors.window import single

_SUM, _UNEVEN = 1.5, 1.5
"""The gradient is too large by this factor, or a sample weighs so many times as much as another."""
_CLOSE = 0.05
"""The factor is the number of micro-batches, up to this part."""
_TIMES = 2
"""So many steps in a row."""
_MEAN, _TOTAL = 1, 2
"""How torch numbers reductions."""


@dataclass(frozen=True, slots=True)
class _Micro:
    """A loss that backward was called on."""

    place: Place | None
    number: int
    """What it is the mean or the sum of: rows that count, or elements."""
    weight: float
    """What each of them weighs in the gradient."""
    loss: str
    fetched: bool
    """Whether a batch was fetched for it from a loader."""


class AccumulationScale(Rule):
    """The rule `accumulation-scale`."""

    name = "accumulation-scale"
    severity = "warning"
    exact = False

    def __init__(self) -> None:
        self._micro: list[_Micro] = []
        """Those since the last step."""
        self._fetched = False
        self._unknown = False
        """Whether one of them is not known."""
        self._summed = self._uneven = self._sound = 0
        """The number of steps in a row that are wrong, or right."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done == "data":
            self._fetched = True
        if moment.done == "zero_grad":
            self.forget()
        if moment.comes == "backward":
            one = _measured(moment, self._fetched)
            self._fetched = False
            self._unknown = self._unknown or one is None
            self._micro += [one] if one is not None else []
        elif moment.done == "step" and not moment.inside:
            micro, unknown = self._micro, self._unknown
            self.forget()
            if moment.optimizer is not None and len(moment.optimizers) == 1 and not unknown and len(micro) > 1:
                yield from self._of_step(moment, micro, moment.scale_of(moment.optimizer[1]))

    def forget(self) -> None:
        self._micro, self._unknown = [], False

    def right(self) -> str:
        return "accumulated gradients are those of the joined batch" if self._sound else ""

    def _of_step(self, moment: Moment, micro: list[_Micro], scale: float) -> Iterator[Finding]:
        if len({(one.place, one.loss) for one in micro}) > 1:
            return
        weights = [one.weight / scale for one in micro]
        if min(weights) <= 0 or not math.isfinite(sum(weights)):
            return
        total = sum(one.number for one in micro)
        factor = sum(one.number * weight for one, weight in zip(micro, weights, strict=True))
        uneven = max(weights) / min(weights)
        summed = factor >= _SUM and abs(factor / len(micro) - 1) <= _CLOSE
        self._summed = self._summed + 1 if summed else 0
        self._uneven = self._uneven + 1 if uneven >= _UNEVEN else 0
        self._sound += not summed and uneven < _UNEVEN
        what = "tokens or rows that count" if micro[0].loss.startswith("Nll") else "elements"
        if self._uneven == _TIMES:
            counts = [one.number for one in micro]
            yield self.finding(
                moment,
                f"the micro-batches of a step have from {min(counts)} to {max(counts)} {what}, and each is averaged "
                f"over its own: the gradient is not that of the joined batch",
                objects=[micro[0].loss],
                place=micro[0].place,
                evidence=f"what one of them weighs in the gradient differs by a factor of {uneven:.2g} (threshold: "
                f"{_UNEVEN:g}), in {_TIMES} steps in a row; of the mean over all {total} each weighs the same",
                cause="a mean of means is taken, over micro-batches of different size",
                fix="sum the losses (reduction='sum') and divide by the number in all micro-batches of the step",
            )
        elif self._summed == _TIMES:
            severity: FindingSeverity = "warning" if all(one.fetched for one in micro) else "info"
            yield self.finding(
                moment,
                f"the gradient of a step is {factor:.3g} times that of the joined batch: {len(micro)} losses are "
                f"accumulated and none is divided by their number",
                objects=[micro[0].loss],
                place=micro[0].place,
                evidence=f"together the {total} {what} of {len(micro)} micro-batches weigh {factor:.3g} in the "
                f"gradient, where they weigh 1 in the mean over all (threshold: {_SUM:g}), in {_TIMES} steps in a row",
                cause=f"each of {len(micro)} losses goes into the gradient as a whole",
                fix=f"call backward on the loss divided by {len(micro)}",
                severity=severity,
            )


def _measured(moment: Moment, fetched: bool) -> _Micro | None:
    """What backward is about to be called on, if it is a loss of known make times a number."""
    given = moment.arguments
    loss: Any = given[0] if given else None  # itself, where the user's variable holds what it was made of
    if isinstance(loss, (tuple, list)) and len(loss) == 1:
        loss = loss[0]
    if type(loss) not in ORDINARY or any(isinstance(one, torch.Tensor) for one in given[1:]):
        return None
    node = known_loss(node_of(loss))
    if node is None:
        return None
    reduction = getattr(node, "_saved_reduction", 0)
    number, value = own_value(node)
    root: Any = single(loss)
    if reduction not in (_MEAN, _TOTAL) or number < 1 or not abs(value) > 1e-9 or not isinstance(root, (int, float)):
        return None
    own = value if reduction == _MEAN else value * number
    weight = float(root) / own / (number if reduction == _MEAN else 1)
    return _Micro(moment.here, number, weight, kind(node), fetched)
