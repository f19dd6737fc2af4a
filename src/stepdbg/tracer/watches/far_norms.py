"""The norms of parameters that lie on a device, and of their gradients: worked out there, and read when they have come.

Nothing waits for them. What an update was sampled for is filled in at a later sample, or where training waits anyway.
"""

from __future__ import annotations

import math
from array import array
from collections import defaultdict
from collections.abc import Sequence
from typing import NamedTuple

import torch

from stepdbg.tracer.session.on_the_way import OnTheWay

_UNDERWAY = 16
"""So many samples may be on their way; beyond it one is left out."""


class Moved(NamedTuple):
    """A parameter, by its place, and what it was before."""

    place: int
    now: torch.Tensor
    before: torch.Tensor


class _Awaited(NamedTuple):
    """What numbers on their way are: norms of gradients, then of changes, then of values."""

    gradients: array[float]
    ratios: array[float]
    graded: tuple[int, ...]
    """The places of the gradients."""
    moved: tuple[int, ...]
    """The places of the changes, and of the values."""


class FarNorms:
    """Asks devices for norms, and fills them in."""

    def __init__(self) -> None:
        self._underway = OnTheWay[_Awaited](_UNDERWAY)

    def ask(
        self,
        gradients: array[float],
        ratios: array[float],
        graded: Sequence[tuple[int, torch.Tensor]],
        moved: Sequence[Moved],
    ) -> None:
        """Ask for norms; where a device cannot tell them, nothing is filled in.

        Args:
            gradients: Here the norms of gradients are filled in, by place.
            ratios: Here the norms of changes over those of values.
            graded: Gradients on devices, each with its place.
            moved: Parameters on devices, and what they were.
        """
        devices = defaultdict[torch.device, tuple[list[tuple[int, torch.Tensor]], list[Moved]]](lambda: ([], []))
        for place, grad in graded:
            devices[grad.device][0].append((place, grad))
        for one in moved:
            devices[one.now.device][1].append(one)
        for those, changes in devices.values():
            try:
                tensors = [grad for _, grad in those]
                tensors += [one.now - one.before for one in changes] + [one.now for one in changes]
                places = tuple(place for place, _ in those), tuple(one.place for one in changes)
                self._underway.send_for(_norms(tensors), _Awaited(gradients, ratios, *places))
            except RuntimeError:  # no memory for it, or an error of the user's that the device has kept until now
                continue

    def fill_in(self, *, wait: bool = False) -> None:
        """Fill in what has arrived, or, where training waits anyhow, all of it."""
        try:
            for awaited, numbers in self._underway.arrived(wait=wait):
                found = numbers.tolist()
                changes, sizes = found[len(awaited.graded) :], found[len(awaited.graded) + len(awaited.moved) :]
                for place, norm in zip(awaited.graded, found, strict=False):
                    awaited.gradients[place] = norm
                for place, change, size in zip(awaited.moved, changes, sizes, strict=False):
                    awaited.ratios[place] = change / size if size else math.inf if change else 0.0
        except Exception:  # an error of the user's that the device has kept until now: it is met at their line
            self._underway.forget()


def _norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    """The 2-norms of tensors of one device, worked out in float32 at least, where they lie; after them some zeros, so
    that numbers on their way come in few sizes, whose room is used again.
    """
    found: list[torch.Tensor | None] = [None] * len(tensors)
    for dtype in {one.dtype for one in tensors}:
        places = [place for place, one in enumerate(tensors) if one.dtype is dtype]
        wider = [] if dtype is torch.float64 else [torch.float32]
        norms = torch._foreach_norm([tensors[place] for place in places], 2, *wider)
        for place, norm in zip(places, norms, strict=True):
            found[place] = norm.float()
    whole = torch.stack([norm for norm in found if norm is not None])
    return torch.nn.functional.pad(whole, (0, (1 << (len(tensors) - 1).bit_length()) - len(tensors)))
