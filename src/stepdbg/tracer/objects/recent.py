"""Tensors of an update that no source notes as the newest of their kind, but that the user's variables still hold:
what a loop has fetched without a loader, what a model was called with, outputs that a later forward has taken the place
of, and the losses that stand beside the one that `backward` is called on.

They are seen only while somebody looks; weak references to them are all that is kept. Listed is what has a name.
"""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import torch
from torch import nn

from stepdbg.protocol.messages import Kind
from stepdbg.tracer.introspect.safe_access import entries_of, is_a

_MOST = 32
"""The number of tensors remembered; the oldest are forgotten first."""


@dataclass(frozen=True, slots=True)
class RecentTensor:
    """A tensor that only variables hold, weakly."""

    kind: Kind
    ref: weakref.ref[torch.Tensor]
    serial: int
    known: bool = False
    """Whether the user's variables held it at the stop before: then no phase in between has made it."""


@dataclass(slots=True)
class RecentTensors:
    """Tensors that only the script's variables hold: newest batches, outputs and losses, the oldest first."""

    _tensors: list[RecentTensor] = field(default_factory=list)

    def add(self, kind: Kind, tensor: torch.Tensor, serial: int, *, known: bool = False) -> None:
        """Remember a tensor that was seen; of a tensor that is known already the first sighting counts."""
        alive = [one for one in self._tensors if one.ref() is not None]
        if not any(one.ref() is tensor for one in alive):
            alive.append(RecentTensor(kind, weakref.ref(tensor), serial, known))
        self._tensors = alive[-_MOST:]

    def newest(self, kind: Kind) -> list[torch.Tensor]:
        """The tensors of that kind that came last, together, as far as they are there."""
        alive = [
            (one.serial, tensor) for one in self._tensors if one.kind == kind and (tensor := one.ref()) is not None
        ]
        return [tensor for serial, tensor in alive if serial == alive[-1][0]]

    def named(self, scope: Mapping[int, str]) -> list[tuple[str, torch.Tensor, RecentTensor]]:
        """The tensors that these names (by `id`) lead to, as far as they are there."""
        found = ((one, one.ref()) for one in islice(self._tensors, _MOST))
        return [(scope[id(tensor)], tensor, one) for one, tensor in found if tensor is not None and id(tensor) in scope]


class Numbers:
    """Tell one tensor from the next, for as long as it lives, whatever it is called."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[weakref.ref[torch.Tensor], int]] = {}
        self._last = 0
        self._room = 64
        """The number of tensors from which on those that are gone are forgotten."""

    def has(self, tensor: torch.Tensor) -> bool:
        """Whether that tensor has its number: it stood in a list before."""
        known = self._known.get(id(tensor))
        return known is not None and known[0]() is tensor

    def of(self, tensor: torch.Tensor | None) -> int:
        """The number of that tensor; 0 for None."""
        if tensor is None:
            return 0
        known = self._known.get(id(tensor))
        if known is None or known[0]() is not tensor:
            self._last += 1
            known = (weakref.ref(tensor), self._last)
            if len(self._known) >= self._room:
                self._known = {key: one for key, one in self._known.items() if one[0]() is not None}
                self._room = max(64, 2 * len(self._known))
            self._known[id(tensor)] = known
        return known[1]


def fetched(variables: Mapping[str, Any], before: Mapping[int, weakref.ref[torch.Tensor]]) -> list[torch.Tensor]:
    """The tensors that these variables hold, themselves or in a tuple, list or dict, and did not hold before.

    No parameters, and nothing that was computed from them.

    Args:
        variables: Of the frame that runs the loop.
        before: What was in sight when its `data` phase began, by `id`.
    """
    found: list[torch.Tensor] = []
    for value in list(variables.values()):
        entries: list[Any] = [item for _, item in entries_of(value)] if is_a(value, (tuple, list, dict)) else [value]
        for one in entries:
            if is_a(one, torch.Tensor) and not is_a(one, nn.Parameter) and one.grad_fn is None:
                there = before.get(id(one))
                if there is None or there() is not one:
                    found.append(one)
    return found
