"""What parameters are to become at their next step, remembered until it has run, and how well that was foretold."""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.foresight.parts import Place, own_part
from stepdbg.tracer.tensors.pieces import Index, as_real, numbers
from stepdbg.tracer.tensors.readable import dtype_name

SAMPLES = 1 << 18
"""The number of elements whose new values are remembered, all parameters together: three megabytes."""

Sample = tuple[Index, torch.Tensor, torch.Tensor]
"""A piece of a parameter: its place, what its elements become, and how much moves there, signs apart."""


@dataclass(frozen=True, slots=True)
class _Prediction:
    """What a parameter is to become."""

    parameter: weakref.ref[torch.Tensor]
    steps: int
    """The number of the optimizer's steps so far."""
    all_steps: int
    """The number of steps of all optimizers that hold the parameter: what another has moved was not foretold."""
    grad: object
    """The fingerprint of the gradient; None where it may change before the step."""
    largest: float
    """The largest move of an element."""
    samples: list[Sample]

    @property
    def elements(self) -> int:
        """The number of elements whose new values are remembered."""
        return sum(becomes.numel() for _, becomes, _ in self.samples)


class Predictions:
    """The predictions whose steps have not run, and the verifications of those whose steps have."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], _Prediction] = {}
        self._verified: dict[tuple[str, str], m.Kept] = {}

    def remember(self, place: Place, all_steps: int, grad: object, largest: float, samples: list[Sample]) -> None:
        """Remember what a parameter is to become; of too many elements those of the oldest predictions are forgotten.

        Args:
            place: The parameter in its optimizer.
            all_steps: The number of steps of all optimizers that hold it.
            grad: The fingerprint of its gradient; None where that may change before the step.
            largest: The largest move of an element.
            samples: Pieces of the parameter.
        """
        self._verified.pop(place.key, None)
        self._open.pop(place.key, None)
        self._open[place.key] = _Prediction(
            weakref.ref(place.parameter), place.named.steps, all_steps, grad, largest, samples
        )
        while len(self._open) > 1 and sum(one.elements for one in self._open.values()) > SAMPLES:
            self._open.pop(next(iter(self._open)))

    def verified(self, place: Place, all_steps: int, grad: object) -> m.Kept | None:
        """How a step compares with what was foretold of it; None where nothing was, or it has not run.

        Args:
            place: The parameter in its optimizer.
            all_steps: The number of steps of all optimizers that hold it.
            grad: The fingerprint of its gradient now; None where there is none.
        """
        prediction = self._open.get(place.key)
        if prediction is not None and all_steps > prediction.all_steps:
            del self._open[place.key]
            self._verified.pop(place.key, None)
            once = place.named.steps == prediction.steps + 1 and all_steps == prediction.all_steps + 1
            if once and prediction.parameter() is place.parameter:
                self._verified[place.key] = _compared(place, prediction, grad)
        found = self._verified.get(place.key)
        return found if found is not None and found.steps == place.named.steps else None

    def clear(self) -> None:
        """Something is being edited: what was foretold holds no more."""
        self._open.clear()


def _compared(place: Place, prediction: _Prediction, grad: object) -> m.Kept:
    value = as_real(own_part(place.parameter))
    exact = torch.finfo(value.dtype).eps if value.is_floating_point() else 0.0
    deviation, fits = 0.0, True
    for index, becomes, move in prediction.samples:
        if not becomes.numel():
            continue
        off = (numbers(value, index) - becomes).abs_()
        deviation = max(deviation, float(off.max()))
        # rounding of the new value, and of some operations on the way to the move
        room = becomes.abs().mul_(2 * exact).add_(move.to(becomes.dtype), alpha=1e-4 + 16 * exact)
        fits = fits and bool((off <= room).all())
    remark = ""
    if not fits and prediction.grad is not None and grad is not None and grad != prediction.grad:
        remark = "the gradient was written anew before the step, by a closure or a hook"
    elif not fits and exact > 1e-5:
        remark = f"{dtype_name(value.dtype)} rounds coarsely, also on the way"
    return m.Kept(place.named.steps, deviation, prediction.largest, fits, prediction.elements, remark)
