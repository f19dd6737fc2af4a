"""The losses that backward was called on, and each step's learning rates and norms: of weights, gradients, changes.

Of a large parameter a stretch of elements stands for the whole. Copies live from right before a step to right after it.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

import torch

from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.introspect.layout import groups_of
from stepdbg.tracer.tensors.readable import ORDINARY
from stepdbg.tracer.tensors.window import single

_STRETCH = 1 << 14
"""Elements of a parameter that are measured."""
_MOST = 2000
"""Parameters that are measured, losses and steps that are kept."""


@dataclass(frozen=True, slots=True)
class MeasuredLoss:
    """A loss that backward was called on."""

    update: int
    value: float
    name: str
    place: Place | None


@dataclass(frozen=True, slots=True)
class Norms:
    """The root mean squares of a parameter at a step: NaN where that is not known."""

    weight: float
    """Before the step."""
    gradient: float
    change: float
    dimensions: int
    elements: int


@dataclass(frozen=True, slots=True)
class MeasuredStep:
    """A step of an optimizer."""

    update: int
    optimizer: str
    kind: str
    """The name of its class."""
    place: Place | None
    rates: tuple[float, ...]
    """The learning rates of its groups."""
    skipped: bool
    norms: Mapping[str, Norms]
    """By the names of the parameters."""


class Measures:
    """What was measured so far."""

    def __init__(self) -> None:
        self.losses: list[MeasuredLoss] = []
        self.steps: list[MeasuredStep] = []
        self._before: dict[str, torch.Tensor] = {}
        """What the parameters were before the step that comes, in stretches."""

    def look(self, moment: Moment) -> None:
        """Measure at a boundary."""
        if moment.comes == "backward":
            self._measure_loss(moment)
        before, self._before = self._before, {}
        if moment.done == "step" and moment.optimizer is not None:
            self._measure_step(moment, before)
        if moment.comes == "step":
            held = {name: part for name, one in moment.parameters.items() if (part := _stretch(one)) is not None}
            self._before = dict(zip(held, map(torch.clone, held.values()), strict=True))

    def forget(self) -> None:
        """Boundaries have passed that nobody has looked at."""
        self._before = {}

    def by_loss(self) -> dict[Place | None, list[MeasuredLoss]]:
        """The losses in order, by the line that calls backward."""
        found = defaultdict[Place | None, list[MeasuredLoss]](list)
        for one in self.losses:
            found[one.place].append(one)
        return found

    def by_optimizer(self) -> dict[str, list[MeasuredStep]]:
        """The steps that were made, in order, by optimizer."""
        found = defaultdict[str, list[MeasuredStep]](list)
        for one in self.steps:
            if not one.skipped:
                found[one.optimizer].append(one)
        return found

    def _measure_loss(self, moment: Moment) -> None:
        newest = moment.registry.newest
        loss = newest.loss() if newest.at_backward else None
        number = None if loss is None else single(loss)
        if number is not None and not isinstance(number, complex) and len(self.losses) < _MOST:
            name = newest.loss_name() or "loss"
            self.losses.append(MeasuredLoss(moment.boundary.opens or moment.update, float(number), name, moment.here))

    def _measure_step(self, moment: Moment, before: dict[str, torch.Tensor]) -> None:
        assert moment.optimizer is not None
        name, optimizer = moment.optimizer
        if len(self.steps) >= _MOST:
            return
        held = {one: part for one in moment.held_by(optimizer) if (part := before.get(one)) is not None}
        now = {one: part for one in held if (part := _stretch(moment.parameters[one])) is not None}
        now = {one: part for one, part in now.items() if part.shape == held[one].shape}
        gradients = {one: _stretch(grad) for one in now if (grad := moment.gradient_of(one)) is not None}
        there = {one: part for one, part in gradients.items() if part is not None}
        weights = _sizes([held[one] for one in now])
        changes = _sizes([part - held[one] for one, part in now.items()])
        slopes = dict(zip(there, _sizes([*there.values()]), strict=True))
        norms = {
            one: Norms(
                weight,
                slopes.get(one, math.nan),
                change,
                moment.parameters[one].dim(),
                moment.parameters[one].numel(),
            )
            for one, weight, change in zip(now, weights, changes, strict=True)
        }
        rates = tuple(_number(group.get("lr")) for group in groups_of(optimizer))
        self.steps.append(
            MeasuredStep(moment.update, name, type(optimizer).__name__, moment.place, rates, moment.skipped, norms)
        )


def _number(value: object) -> float:
    if isinstance(value, torch.Tensor):
        found = single(value)
        return float(found) if found is not None and not isinstance(found, complex) else math.nan
    return float(value) if isinstance(value, (int, float)) else math.nan


def _stretch(tensor: torch.Tensor) -> torch.Tensor | None:
    """The first elements of a tensor of floating-point numbers; None where it is not plainly in memory."""
    if type(tensor) not in ORDINARY or tensor.layout is not torch.strided or not tensor.is_floating_point():
        return None
    if tensor.is_meta or tensor.numel() == 0:
        return None
    plain = tensor.detach()
    if not plain.is_contiguous():
        plain = plain if plain.numel() <= _STRETCH else plain[0]
    return plain.reshape(-1)[:_STRETCH]


def _sizes(tensors: list[torch.Tensor]) -> list[float]:
    """Their root mean squares: a device is asked once for all that lie there."""
    together = defaultdict[tuple[torch.device, torch.dtype], list[int]](list)
    for number, tensor in enumerate(tensors):
        together[tensor.device, tensor.dtype].append(number)
    found = [math.nan] * len(tensors)
    for numbers in together.values():
        norms = torch._foreach_norm([tensors[number] for number in numbers], 2, dtype=torch.float64)
        for number, norm in zip(numbers, torch.stack(norms).tolist(), strict=True):
            found[number] = norm / math.sqrt(tensors[number].numel())
    return found
