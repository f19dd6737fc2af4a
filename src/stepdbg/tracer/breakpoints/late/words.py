"""The vocabulary of conditions where nothing may wait for a device: of what lies on one, a word gives a tensor there.

The numbers are float64, and made as the vocabulary makes its own, so that a comparison comes out as it does there. What
Python refuses (a division by 0) gives an infinity or NaN, as tensors have it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec

import torch

from stepdbg.tracer.breakpoints.arrival import Arrival, AtLine
from stepdbg.tracer.breakpoints.conditions.vocabulary import Memory, Vocabulary
from stepdbg.tracer.breakpoints.late.unwaiting import Waits
from stepdbg.tracer.breakpoints.owners import OwnerNames
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.unobserved import put_dispatch_modes, take_dispatch_modes
from stepdbg.tracer.objects.other_threads import gradients
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.session.on_the_way import is_far
from stepdbg.tracer.tensors.readable import local

P = ParamSpec("P")


def _by_itself(word: Callable[P, Any]) -> Callable[P, Any]:
    """A word that runs nobody's code and waits for nothing: whoever refuses that need not look at its operators."""

    @wraps(word)
    def evaluated(*args: P.args, **kwargs: P.kwargs) -> Any:
        modes = take_dispatch_modes()
        try:
            return word(*args, **kwargs)
        finally:
            put_dispatch_modes(modes)

    return evaluated


class LateVocabulary(Vocabulary):
    """The words at one boundary.

    Args:
        registry: Knows what is alive.
        owners: Knows it by name.
        at: The boundary.
        memory: What the condition has kept.
        update: The update that is meant; None for that of the phase that comes.
        loss: The newest loss where it lies on a device: one number, float64; None where it does not.
    """

    def __init__(
        self,
        registry: Registry,
        owners: OwnerNames,
        at: Arrival | AtLine,
        memory: Memory,
        update: int | None,
        *,
        loss: Callable[[], torch.Tensor | None],
    ) -> None:
        super().__init__(registry, owners, at, memory, update)
        self._newest_loss = loss

    def __getitem__(self, name: str) -> Any:
        """The value of a word, or the function that it is."""
        if name == "loss" and (loss := self._newest_loss()) is not None:
            return loss
        return super().__getitem__(name)

    @_by_itself
    def grad_norm(self, pattern: str = "") -> Any:
        """The 2-norm of the gradients of the parameters that fit; of all that have one, without a pattern."""
        found = self._parameters(pattern) if pattern else self._owners.all_parameters()
        grads = [local(one)[0].detach() for one in gradients(found) if one is not None]
        return total_norm(grads) if any(map(is_far, grads)) else super().grad_norm(pattern)

    @_by_itself
    def norm(self, x: Any) -> Any:
        """The 2-norm of a tensor, or of all tensors that a name fits."""
        tensors = self._tensors(x)
        return total_norm(tensors) if any(map(is_far, tensors)) else super().norm(x)

    @_by_itself
    def mean(self, x: Any) -> Any:
        """The mean of the elements of a tensor, or of all tensors that a name fits."""
        tensors = self._tensors(x)
        if not any(map(is_far, tensors)):
            return super().mean(x)
        sums = [(one.abs() if one.is_complex() else one).double().sum() for one in _together(tensors)]
        count = sum(one.numel() for one in tensors)
        return torch.stack(sums).sum() / count if count else math.nan

    @_by_itself
    def finite(self, x: Any) -> Any:
        """Whether no element of a tensor, or of any that a name fits, is NaN or infinite."""
        tensors = self._tensors(x)
        if not any(map(is_far, tensors)):
            return super().finite(x)
        return torch.stack([torch.isfinite(one).all() for one in _together(tensors)]).all()

    @_by_itself
    def changed(self, x: Any) -> Any:
        """Whether a tensor, or any that a name fits, is another than when this was asked last; False at first."""
        now = [one.clone() for one in self._tensors(x)]
        if not any(map(is_far, now)):
            return super().changed(x)
        before = self._memory.swap(_together(now))
        if before is None or not _alike(before, now):
            return before is not None
        same = [((a == b) | ((a != a) & (b != b))).all() for a, b in zip(before, now, strict=True)]
        return torch.stack(same).all().logical_not()

    @_by_itself
    def ratio(self, x: Any) -> Any:
        """The norm of the change since this was asked last, over the norm of what is now; NaN at first."""
        now = [one.clone() for one in self._tensors(x)]
        if not any(map(is_far, now)):
            return super().ratio(x)
        before = self._memory.swap(_together(now))
        if before is None or not _alike(before, now):
            return math.nan
        size = total_norm(now)
        change = total_norm([b - a for a, b in zip(before, now, strict=True)])
        return (change / size).masked_fill(size == 0, math.nan)

    @_by_itself
    def ema(self, number: Any, keep: float = 0.98) -> Any:
        """The moving average of a number over the evaluations so far, corrected for its beginning at 0."""
        kept: tuple[Any, int] = self._memory.peek() or (0.0, 0)
        before, times = kept
        far = [one for one in (number, before) if is_a(one, torch.Tensor) and is_far(one)]
        if not far:
            return super().ema(number, keep)
        value = number.detach().reshape(()).double() if is_a(number, torch.Tensor) else float(number)
        average = keep * before + (1 - keep) * value
        self._memory.swap((average, times + 1))
        return average / (1 - keep ** (times + 1))

    def _lr(self) -> Any:
        rate = self._rate()
        if is_a(rate, torch.Tensor) and is_far(rate):
            return rate.detach().reshape(()).double()
        return super()._lr()


def total_norm(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """The 2-norm of all elements of these tensors together, where they lie: one number, float64."""
    tensors = list(_together(tensors))
    if any(one.layout is not torch.strided for one in tensors):
        raise Waits("the norm of a sparse tensor")
    if len({one.dtype for one in tensors}) == 1:
        norms = [*torch._foreach_norm(tensors, 2.0)]
    else:
        norms = [torch.linalg.vector_norm(one.double()) for one in tensors]
    whole: torch.Tensor = torch.linalg.vector_norm(torch.stack(norms)).double()
    return whole


def _together(tensors: Sequence[torch.Tensor]) -> Sequence[torch.Tensor]:
    """These tensors, which lie on one device.

    Raises:
        Waits: they do not: one would have to be moved.
    """
    if len({one.device for one in tensors}) > 1:
        raise Waits("tensors of several devices")
    return tensors


def _alike(before: Sequence[torch.Tensor], now: Sequence[torch.Tensor]) -> bool:
    """Whether these are tensors of the same shapes, types and devices."""
    return len(before) == len(now) and all(
        (a.shape, a.dtype, a.device) == (b.shape, b.dtype, b.device) for a, b in zip(before, now, strict=True)
    )
