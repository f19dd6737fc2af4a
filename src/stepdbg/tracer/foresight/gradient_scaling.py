"""What is done to gradients between backward and step: scaled by a GradScaler, unscaled, clipped.

The hooks note it as it happens, which costs next to nothing; it is read only when somebody asks what a step would do.
"""

from __future__ import annotations

import weakref
from collections.abc import Hashable
from dataclasses import dataclass
from time import monotonic_ns
from typing import Any, NamedTuple

import torch

from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.batched_norms import norms_of
from stepdbg.tracer.tensors.readable import Unreadable, local, stored_bytes

COPIED = 256 * 1024 * 1024
"""Bytes of gradients that are copied before a clip by value, at the most."""


class Clip(NamedTuple):
    """A call that clipped gradients."""

    function: str
    """`clip_grad_norm_`, …"""
    limit: float | torch.Tensor
    """The largest norm, or the largest absolute value; a number."""
    total: torch.Tensor | None
    """The norm that `clip_grad_norm_` has found over all the gradients that it was given; a number."""
    at_ns: int
    """The time at which the call returned (`monotonic_ns`)."""
    unscaled: frozenset[Hashable] = frozenset()
    """The optimizers whose gradients held no scale any more."""

    @property
    def by_value(self) -> bool:
        """Whether each element was cut by itself."""
        return "value" in self.function


@dataclass(frozen=True, slots=True)
class Before:
    """A gradient as it was at the stop before a clip."""

    norm: float
    copy: torch.Tensor | None = None
    """The gradient from before, only where each element is cut by itself: else one factor tells it all."""


class GradientScaling:
    """What was done to the gradients of this update."""

    def __init__(self) -> None:
        self.clip: Clip | None = None
        """The newest."""
        self.times = 0
        """How often a loss was scaled."""
        self._scaler: weakref.ref[Any] | None = None
        self._unscaled: set[Hashable] = set()
        """Optimizers whose gradients were unscaled, or that have stepped, since a loss was scaled last."""
        self._before: dict[str, Before] = {}
        self._before_ns = 0
        self._before_scale: float | None = None
        """The scale of the scaler, then."""

    # what the hooks note

    def scaled(self, scaler: Any) -> None:
        """A loss was scaled."""
        if self._scaler is None or self._scaler() is not scaler:
            self._scaler = weakref.ref(scaler)
        self.times += 1
        self._unscaled.clear()

    def unscaled(self, optimizer: Hashable) -> None:
        """The gradients of that optimizer hold no scale any more."""
        self._unscaled.add(optimizer)

    def clipped(self, function: str, limit: object, total: object) -> None:
        """A call that clips has returned."""
        number = total.detach() if isinstance(total, torch.Tensor) and total.numel() == 1 else None
        known = isinstance(limit, (int, float, torch.Tensor))
        unscaled = frozenset(self._unscaled)
        self.clip = Clip(function, limit, number, monotonic_ns(), unscaled) if known else None  # type: ignore[arg-type]

    # what a stop notes

    def before_clip(self, registry: Registry) -> None:
        """Training stands before a clip: note how large each gradient is, and keep it where a factor will not do."""
        grads = {
            name: entry.tensor
            for name, entry in registry.alive.items()
            if entry.kind == "grad" and entry.tensor is not None and not entry.tensor.is_complex()
        }
        copied = self.clip is not None and self.clip.by_value
        copied = copied and sum(stored_bytes(grad) for grad in grads.values()) <= COPIED
        self._before_ns, self._before_scale = monotonic_ns(), self.factor()
        self._before = {}
        sizes = norms_of([*grads.values()])
        for (name, grad), size in zip(grads.items(), sizes, strict=True):
            if size is not None:
                self._before[name] = Before(size, _copy(grad) if copied else None)

    # what is read

    def scale(self, optimizer: Any, key: Hashable) -> float | None:
        """What the gradients of that optimizer are still multiplied by; None where by nothing."""
        scaler = self._scaler() if self._scaler is not None else None
        if scaler is None or key in self._unscaled:
            return None
        stage = scaler._per_optimizer_states.get(id(optimizer), {}).get("stage")
        if stage is not None and getattr(stage, "name", "READY") != "READY":
            return None
        return self.factor()

    def scale_at(self, clip: Clip, key: Hashable) -> float:
        """What the gradients of an optimizer were multiplied by when they were clipped; 1 where by nothing."""
        if key in clip.unscaled:
            return 1.0
        stood = 0 < self._before_ns <= clip.at_ns and self._before_scale is not None
        return (self._before_scale if stood else self.factor()) or 1.0

    def factor(self) -> float | None:
        """What the scaler multiplies losses by; None where there is none, or it does nothing."""
        scaler = self._scaler() if self._scaler is not None else None
        if scaler is None or not getattr(scaler, "_enabled", False) or scaler._scale is None:
            return None
        return float(scaler._scale)

    def clip_since(self, since_ns: int) -> Clip | None:
        """The newest clip, if it ran after that moment."""
        return self.clip if self.clip is not None and self.clip.at_ns >= since_ns else None

    def before(self, grad: str, since_ns: int) -> Before | None:
        """A gradient as it was before the clip, where somebody stood there after that moment; else None."""
        return self._before.get(grad) if self._before_ns >= since_ns else None


def _copy(grad: torch.Tensor) -> torch.Tensor | None:
    """A copy of a gradient; None where there is no memory for one."""
    try:
        return local(grad)[0].clone()
    except (RuntimeError, Unreadable):
        return None
