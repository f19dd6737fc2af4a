"""What a condition can name beside the user's variables: `loss`, `update`, `grad_norm()`, and how tensors have changed.

Everything is worked out when it is asked for, from what is alive at that moment, outside of autograd. A tensor may be
given as itself, or as its name: `norm("model.fc1.*")` is the norm of all that fit, `norm("model.fc1.*.grad")` that of
their gradients. What is compared with the time before (`changed`, `ratio`, `ema`) is kept for each place in the
condition.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from stepdbg.tracer.breakpoints.arrival import Arrival, AtLine
from stepdbg.tracer.breakpoints.conditions.words import VOCABULARY
from stepdbg.tracer.breakpoints.owners import OwnerNames, is_pattern
from stepdbg.tracer.introspect.layout import groups_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects.other_threads import gradients
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.readable import local


class NotYet(LookupError):
    """A word stands for what training makes and has not made yet; the text says what."""


class Memory:
    """What one condition keeps from one evaluation to the next, in the order in which its words ask for it."""

    def __init__(self) -> None:
        self._kept: list[Any] = []
        self._next = 0

    def begin(self) -> None:
        """Another evaluation begins."""
        self._next = 0

    def copy(self) -> Memory:
        """The same, for an evaluation of which nothing is to be kept. (What is kept is never changed in place.)"""
        found = Memory()
        found._kept = [*self._kept]
        return found

    def take_over(self, other: Memory) -> None:
        """Keep what a copy has kept."""
        self._kept = other._kept

    def peek(self) -> Any:
        """What was kept at this place of the condition the time before; None at first."""
        return self._kept[self._next] if self._next < len(self._kept) else None

    def swap(self, value: Any) -> Any:
        """What was kept at this place of the condition the time before, None at first; `value` is kept from now on."""
        place, self._next = self._next, self._next + 1
        if place < len(self._kept):
            before, self._kept[place] = self._kept[place], value
            return before
        self._kept.append(value)
        return None


class Vocabulary:
    """The words at one boundary.

    Args:
        registry: Knows what is alive.
        owners: Knows it by name.
        at: The boundary.
        memory: What the condition has kept.
        update: The update that is meant; None for that of the phase that comes.
    """

    def __init__(
        self, registry: Registry, owners: OwnerNames, at: Arrival | AtLine, memory: Memory, update: int | None
    ) -> None:
        self._registry, self._owners, self._at, self._memory, self._update = registry, owners, at, memory, update

    def __contains__(self, name: object) -> bool:
        return name in VOCABULARY

    def __getitem__(self, name: str) -> Any:
        """The value of a word, or the function that it is."""
        match name:
            case "loss":
                return float(_there(self._at.boundary.loss, "there is no loss yet"))
            case "update":
                return self._at.boundary.opens or self._at.boundary.update if self._update is None else self._update
            case "epoch":
                epoch = self._at.coming_epoch if self._update is None else self._at.boundary.epoch
                return _there(epoch, "no loader is iterated over yet, so there is no epoch")
            case "rank":
                return self._at.boundary.rank
            case "lr":
                return self._lr()
            case "batch":
                return _there(self._registry.newest.batch(), "there is no batch yet")
        functions = (self.grad_norm, self.norm, self.mean, self.finite, self.changed, self.ratio, self.ema)
        return next(one for one in functions if one.__name__ == name)

    def grad_norm(self, pattern: str = "") -> float:
        """The 2-norm of the gradients of the parameters that fit; of all that have one, without a pattern."""
        found = self._parameters(pattern) if pattern else self._owners.all_parameters()
        return norm_of_gradients(found)

    def norm(self, x: Any) -> float:
        """The 2-norm of a tensor, or of all tensors that a name fits."""
        return total_norm(self._tensors(x))

    def mean(self, x: Any) -> float:
        """The mean of the elements of a tensor, or of all tensors that a name fits."""
        tensors = [one.double() if not one.is_complex() else one.abs().double() for one in self._tensors(x)]
        count = sum(one.numel() for one in tensors)
        return float(sum(one.sum() for one in tensors) / count) if count else math.nan

    def finite(self, x: Any) -> bool:
        """Whether no element of a tensor, or of any that a name fits, is NaN or infinite."""
        return all(bool(torch.isfinite(one).all()) for one in self._tensors(x))

    def changed(self, x: Any) -> bool:
        """Whether a tensor, or any that a name fits, is another than when this was asked last; False at first."""
        now = [one.clone() for one in self._tensors(x)]
        before = self._memory.swap(now)
        return before is not None and not _equal(before, now)

    def ratio(self, x: Any) -> float:
        """The norm of the change since this was asked last, over the norm of what is now; NaN at first."""
        now = [one.clone() for one in self._tensors(x)]
        before = self._memory.swap(now)
        if (
            before is None
            or len(before) != len(now)
            or any(a.shape != b.shape for a, b in zip(before, now, strict=True))
        ):
            return math.nan
        size = total_norm(now)
        change = total_norm([b - a for a, b in zip(before, now, strict=True)])
        return change / size if size else math.nan

    def ema(self, number: Any, keep: float = 0.98) -> float:
        """The moving average of a number over the evaluations so far, corrected for its beginning at 0.

        The rule is that of Adam's moments: m ← keep·m + (1 − keep)·x, shown as m / (1 − keep^t).
        """
        value = float(number)
        memory = self._memory
        before, times = memory.peek() or (0.0, 0)
        average = keep * float(before) + (1 - keep) * value
        memory.swap((average, times + 1))
        return average / (1 - keep ** (times + 1))

    def _lr(self) -> Any:
        rate = self._rate()
        return rate.item() if is_a(rate, torch.Tensor) else rate

    def _rate(self) -> Any:
        """The learning rate as the optimizer has it: a number, or a tensor of one."""
        owner = self._at.coming or self._at.done
        held = owner() if owner is not None else None
        optimizers = [one for _, one in self._registry.optimizers()]
        chosen = next((one for one in optimizers if one is held), optimizers[0] if optimizers else None)
        groups = groups_of(chosen) if chosen is not None else []
        return _there(groups[0].get("lr") if groups else None, "there is no optimizer with a learning rate yet")

    def _tensors(self, x: Any) -> list[torch.Tensor]:
        """A tensor as it can be read here, several of them, or all that a name fits."""
        if isinstance(x, str):
            return [local(one)[0].detach() for one in self._named(x)]
        if is_a(x, torch.Tensor):
            return [local(x)[0].detach()]
        if is_a(x, (tuple, list)):
            return [one for each in x for one in self._tensors(each)]
        if x is None:
            raise ValueError("it is None: there is no tensor")
        return [torch.as_tensor(x, device="cpu")]

    def _named(self, name: str) -> list[torch.Tensor]:
        """All tensors that a name fits: gradients, parameters, or else what optimizers keep, or buffers.

        Raises:
            LookupError: there is none.
        """
        if name.endswith(".grad"):
            return [one for one in gradients(self._parameters(name.removesuffix(".grad"))) if one is not None]
        owners = self._owners
        owners.find(self._at.frame)
        found = [tensor for _, tensor in owners.parameters(name)]
        found = found or [*(owners.states(name) if ".state[" in name else owners.buffers(name))]
        return found or self._parameters(name)

    def _parameters(self, pattern: str) -> list[torch.Tensor]:
        """The parameters that fit.

        Raises:
            LookupError: none does.
        """
        self._owners.find(self._at.frame)
        found = [tensor for _, tensor in self._owners.parameters(pattern)]
        if not found:
            kind = "no parameter's name fits" if is_pattern(pattern) else "no parameter is called"
            raise LookupError(f"{kind} {pattern}")
        return found


def norm_of_gradients(parameters: Sequence[torch.Tensor]) -> float:
    """The 2-norm of the gradients of these parameters together; 0 where none has one."""
    return total_norm([grad for grad in gradients(parameters) if grad is not None])


def total_norm(tensors: list[torch.Tensor]) -> float:
    """The 2-norm of all elements of these tensors together; 0 for none. (As `torch.nn.utils.get_total_norm`.)"""
    if not tensors:
        return 0.0
    if _lie_plainly(tensors):
        return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(tensors, 2.0))))
    plain = [local(one)[0].detach() for one in tensors]
    if len({(one.device, one.dtype) for one in plain}) == 1 and all(one.layout is torch.strided for one in plain):
        return float(torch.linalg.vector_norm(torch.stack(torch._foreach_norm(plain, 2.0))))
    return math.sqrt(sum(float(torch.linalg.vector_norm(one.to_dense().double())) ** 2 for one in plain))


def _lie_plainly(tensors: list[torch.Tensor]) -> bool:
    """Whether all of these are of one floating type, with their elements side by side in this computer's memory: what
    nearly every gradient is, told in a microsecond or less for each.
    """
    dtype = tensors[0].dtype if type(tensors[0]) is torch.Tensor else None
    return dtype in _PLAIN_TYPES and all(
        type(one) is torch.Tensor
        and one.is_cpu
        and one.dtype is dtype
        and not one.requires_grad
        and not one.is_nested
        and one.layout is torch.strided
        and one.is_contiguous()
        and one.untyped_storage().nbytes() >= one.nbytes + one.storage_offset() * one.itemsize
        for one in tensors
    )


_PLAIN_TYPES = frozenset((torch.float32, torch.float64, torch.float16, torch.bfloat16))


def _equal(before: list[torch.Tensor], now: list[torch.Tensor]) -> bool:
    """Whether all are bitwise alike, but that NaN is NaN."""
    if len(before) != len(now):
        return False
    for a, b in zip(before, now, strict=True):
        if a.shape != b.shape or a.dtype != b.dtype or a.device != b.device:
            return False
        if not bool(((a == b) | ((a != a) & (b != b))).all()):
            return False
    return True


def _there(value: Any, otherwise: str) -> Any:
    """The value, if there is one.

    Raises:
        NotYet: there is none.
    """
    if value is None:
        raise NotYet(otherwise)
    return value
