"""The parts of a parameter's next move: what of it is gradient, momentum, decay and clipping, worked out on copies."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.foresight import formulas as update_formulas
from stepdbg.tracer.foresight import rehearsal
from stepdbg.tracer.foresight.gradient_scaling import Clip
from stepdbg.tracer.foresight.moves import piece_on
from stepdbg.tracer.objects.outliving import Named
from stepdbg.tracer.tensors.pieces import Index, as_real, numbers, pieces

ORDER: tuple[m.Source, ...] = ("gradient", "momentum", "decay", "clipping")


class CannotForesee(Exception):
    """Why nothing is foretold; its text tells the user."""


class Place(NamedTuple):
    """The place of a parameter in an optimizer: its group and its state."""

    name: str
    parameter: torch.Tensor
    named: Named
    optimizer: Any
    group: int

    @property
    def key(self) -> tuple[str, str]:
        """Tells what is foretold of it by each of several optimizers."""
        return self.name, self.named.name


class Ready(NamedTuple):
    """All that a step starts from."""

    value: torch.Tensor
    grad: torch.Tensor
    raw: torch.Tensor | None
    """The gradient before each element was clipped."""
    factor: float | None
    """What a clip by norm has left of the gradient."""
    scale: float
    at_clip: float
    """What the gradient was multiplied by when it was clipped."""
    state: dict[str, Any]
    group: Mapping[str, Any]
    module: str


def moved(
    optimizer: Any, ready: Ready, index: Index
) -> tuple[torch.Tensor, dict[m.Source, torch.Tensor], torch.Tensor]:
    """The value of one piece, the parts of its move, and the whole move."""
    if ready.module not in update_formulas.FORMULAS:
        return rehearsed(optimizer, ready, index)
    value, grad = numbers(as_real(ready.value), index), numbers(as_real(ready.grad), index)
    if ready.scale != 1.0:
        grad = grad / ready.scale
    if ready.group.get("maximize"):
        grad = -grad
    state = {
        key: numbers(as_real(entry), index) if isinstance(entry, torch.Tensor) and lies_on(entry, ready) else entry
        for key, entry in ready.state.items()
    }
    parts, total = split(ready, value, grad, state)
    raw = unclipped(ready, grad, index)
    if raw is not None:
        parts["clipping"] = total - split(ready, value, raw, state)[1]
    return value, parts, total


def split(
    ready: Ready, value: torch.Tensor, grad: torch.Tensor, state: Mapping[str, Any]
) -> tuple[dict[m.Source, torch.Tensor], torch.Tensor]:
    """The parts, and their sum."""
    moved = update_formulas.FORMULAS[ready.module](value, grad, state, ready.group)
    parts: dict[m.Source, torch.Tensor] = {"gradient": grad * moved.gain}
    total = parts["gradient"].clone()
    if moved.momentum is not None:
        parts["momentum"] = moved.momentum
        total += moved.momentum
    if moved.decay is not None:
        parts["decay"] = moved.decay
        total += moved.decay
    return parts, total


def unclipped(ready: Ready, grad: torch.Tensor, index: Index) -> torch.Tensor | None:
    """The gradient before it was clipped; None where it was not, or that is not known."""
    if ready.raw is not None:
        raw = numbers(as_real(ready.raw), index) / ready.at_clip
        return -raw if ready.group.get("maximize") else raw
    return grad / ready.factor if ready.factor is not None and 0 < ready.factor < 1 - 1e-6 else None


def rehearsed(
    optimizer: Any, ready: Ready, index: Index
) -> tuple[torch.Tensor, dict[m.Source, torch.Tensor], torch.Tensor]:
    """`moved`, for an optimizer without a formula: its own step is run on copies of one piece, and has no parts."""
    value = ready.value.detach()[index].clone()
    grad = ready.grad.detach()[index] / ready.scale
    state = {
        key: entry[index] if isinstance(entry, torch.Tensor) and lies_on(entry, ready) else entry
        for key, entry in ready.state.items()
    }
    before = numbers(as_real(value), ())
    after = rehearsal.rehearsed(optimizer, ready.group, value, grad, state)
    return before, {}, numbers(as_real(after), ()) - before


def is_fresh(state: Mapping[str, Any]) -> bool:
    """Whether there are no running averages yet; a step makes those of all its parameters before it moves the first."""
    return not state or ("step" in state and float(state["step"]) == 0)


def clipping(clip: Clip | None, ready: Ready, without: float | None) -> m.Clipping | None:
    """What a clip has left of the gradient; None where there was none."""
    if clip is None:
        return None
    total = float(clip.total) if clip.total is not None else None
    return m.Clipping(clip.function, float(clip.limit), ready.factor, total, without)


def lies_on(entry: torch.Tensor, ready: Ready) -> bool:
    """Whether a state entry has an element for each of the parameter's."""
    return entry.shape == ready.value.shape and (entry.dim() > 0 or ready.value.dim() == 0)


def length_of(tensor: torch.Tensor) -> float:
    """The 2-norm, in the pieces and the precision that the parts are worked out in."""
    size = piece_on(tensor.device)
    return math.sqrt(sum(float((part := numbers(as_real(tensor), at)).dot(part)) for at in pieces(tensor.shape, size)))


def own_part(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor; of a distributed one what this rank holds."""
    return getattr(tensor, "_local_tensor", tensor)
