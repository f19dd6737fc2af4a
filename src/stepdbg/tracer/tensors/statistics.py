"""Statistics of a tensor in one go over memory.

The limit is the bandwidth: each element has to be read once (200 MB for 50 M floats, some 8 ms at 25 GB/s). So the
tensor is read a group at a time, by those reductions alone that torch runs at that speed. (Measured on torch 2.13,
CPU, 50 M floats: `aminmax`, `sum` and `vector_norm` 7 to 10 ms each, `count_nonzero` 24; but `std` 56,
`isnan().sum()` 250, `isinf().sum()` 480.)
How a group is reduced: `moments`.
"""

from __future__ import annotations

import math

import torch

from stepdbg.protocol.messages import Statistics
from stepdbg.tracer.tensors.chunks import in_memory_order, pieces, some_pieces, spread
from stepdbg.tracer.tensors.distinct_values import count_distinct
from stepdbg.tracer.tensors.moments import (
    CANCELLED,
    FAST,
    GroupReduction,
    Moments,
    is_straight,
    widest_type,
    working_type,
)
from stepdbg.tracer.tensors.readable import Unreadable, local, real

WHOLE = 1 << 28
"""Elements up to which all are looked at; of more, evenly spread groups are."""
_SOME = 1 << 26
"""Elements that are looked at of a tensor larger than `WHOLE`."""
_SAMPLED_GROUP = 1 << 18
"""Elements of each group that is sampled."""
_GROUP = 1 << 30
"""Bytes that are reduced at a time where they lie. (Of 4 MB, which stay in the cache, it takes half the time on cores
that nobody else uses, and up to four times as long on others: there all threads wait for the slowest, each time.)"""
_BUFFER = 12 << 20
"""Bytes reduced at a time where elements have to be converted or shifted, into a buffer."""
_GROUP_ON_DEVICE = 128 << 20
"""Bytes that are reduced at a time on a device."""
_NORMED = 1 << 12
"""Elements whose squares are added up in float32 for a norm."""
_FETCHED = 1 << 14
"""Elements up to which a tensor on a device is fetched whole: one copy takes less time than several answers."""
_GUESS = 4_096
"""Elements that the mean is guessed from."""
_SHIFTS = 3
_MKLDNN = getattr(torch, "_mkldnn", None)
"""The layout of a tensor in an order of oneDNN's own."""


def statistics(tensor: torch.Tensor) -> Statistics | None:
    """Statistics of all elements that this process holds, whatever their type and layout; None without numbers.

    None too where the elements cannot be read, for whatever reason. Of more than `WHOLE` elements some are sampled, and
    the answer says so.
    """
    try:
        return _statistics(local(tensor)[0])
    except (RuntimeError, TypeError, ValueError, Unreadable):  # a type or layout that torch has no operator for
        return None


def _statistics(tensor: torch.Tensor) -> Statistics | None:
    if tensor.is_nested and tensor.layout is torch.strided:
        tensor = tensor.values()
    if tensor.layout is _MKLDNN:
        tensor = tensor.to_dense()
    if tensor.layout is not torch.strided:
        return _of_sparse(tensor)
    if not tensor.numel():
        return Statistics()
    if tensor.is_quantized and tensor.qscheme() is not torch.per_tensor_affine:
        tensor = tensor.dequantize()
    stored, repeats = in_memory_order(tensor)
    if stored.device.type != "cpu" and stored.numel() <= _FETCHED:
        stored = stored.reshape(-1).cpu()
    total, looked_at = _summed(stored)
    return total.as_statistics(repeats, looked_at, count_distinct(stored))


def norm(tensor: torch.Tensor) -> float | None:
    """The 2-norm of all elements; NaN or infinite if one of them is.

    None where there are no numbers, where they cannot be read, or where there are too many.
    """
    try:
        return _norm(local(tensor)[0])
    except (RuntimeError, TypeError, ValueError, Unreadable):
        return None


def _norm(tensor: torch.Tensor) -> float | None:
    half = tensor.dtype in _HALVES and tensor.device.type != "cpu"
    straight = tensor.layout is torch.strided and (half or tensor.dtype in FAST) and not tensor.is_nested
    if straight and 0 < tensor.numel() <= WHOLE:
        stored, repeats = in_memory_order(tensor)
        if repeats == 1 and stored.is_contiguous():
            found = _length(stored.view(-1), half=half)
            if math.isnan(found) or _SQUARED[0] < found < _SQUARED[1]:
                return found
    figures = _statistics(tensor)
    if figures is None or figures.sampled:
        return None
    return math.nan if figures.nan else figures.norm or 0.0


def _length(flat: torch.Tensor, *, half: bool) -> float:
    """The 2-norm of elements that lie side by side. On a CPU torch adds up all squares in one go, in float32: of 50
    million numbers around 100 it finds 3 % too little. So it is given rows, which are put together in float64.
    """
    kind = torch.float32 if half else None
    whole = flat.numel() // _NORMED * _NORMED
    if not whole or flat.dtype is torch.float64:
        return float(torch.linalg.vector_norm(flat, dtype=kind))
    wide = widest_type(flat.device)
    sizes = torch.linalg.vector_norm(flat[:whole].view(-1, _NORMED), dim=1, dtype=kind).to(wide)
    if whole == flat.numel():
        return float(torch.linalg.vector_norm(sizes))
    rest = torch.linalg.vector_norm(flat[whole:], dtype=kind).to(wide)
    return float(torch.hypot(torch.linalg.vector_norm(sizes), rest))


_SQUARED = (1e-15, 1e15)
"""Norms between which no square has vanished or overflowed in float32."""
_HALVES = (torch.float16, torch.bfloat16)
"""Types whose norm a device works out in float32; a CPU would add up their squares one by one."""


def _summed(stored: torch.Tensor) -> tuple[Moments, int]:
    """All groups, or some; and how many elements those hold, 0 for all."""
    working = working_type(stored)
    every = 1 if stored.numel() <= WHOLE else -(-stored.numel() // _SOME)
    shift = _guessed_mean(stored, working)
    for _ in range(_SHIFTS):
        total, seen = Moments(), 0
        size = _group_size(stored, working, shift) if every == 1 else _SAMPLED_GROUP
        reduction = GroupReduction(working, size, stored.device)
        for piece in pieces(stored, size) if every == 1 else some_pieces(stored, size, every):
            seen += piece.numel()
            reduction.add(piece, shift, total)
        nearer = _rounded(total.mean, working)
        if not total.cancelled or nearer == shift:
            break
        shift = nearer
    return total, 0 if seen == stored.numel() else seen


def _group_size(stored: torch.Tensor, working: torch.dtype, shift: float) -> int:
    """Elements that are reduced at a time."""
    room = _GROUP if stored.device.type == "cpu" else _GROUP_ON_DEVICE
    if shift or not is_straight(stored, working):
        room = min(room, _BUFFER if stored.device.type == "cpu" else room // 2)
    if stored.is_complex() or stored.is_quantized:  # real numbers are made of them first
        room //= 2
    return room // working.itemsize


def _guessed_mean(stored: torch.Tensor, working: torch.dtype) -> float:
    """About the mean, where it is large against the spread; else 0."""
    numbers = real(spread(stored, _GUESS).elements).cpu().to(torch.float64)
    numbers = numbers[torch.isfinite(numbers)]
    if numbers.numel() < 2:
        return 0.0
    mean, std = float(numbers.mean()), float(numbers.std())
    far = math.isfinite(std) and mean * mean > (CANCELLED - 1) * std * std
    return _rounded(mean, working) if far else 0.0


def _rounded(value: float, working: torch.dtype) -> float:
    """The value as torch would round it before it subtracts."""
    return float(torch.tensor(value, dtype=working, device="cpu")) if math.isfinite(value) else 0.0


class Summing:
    """Statistics of a tensor that comes a piece at a time."""

    def __init__(self, working: torch.dtype, size: int, device: torch.device) -> None:
        self.seen = 0
        """The number of elements added."""
        self._total = Moments()
        self._reduction = GroupReduction(working, size, device)

    def add(self, piece: torch.Tensor) -> None:
        """Add the elements of another piece."""
        self.seen += piece.numel()
        if piece.numel():
            self._reduction.add(piece, 0.0, self._total)

    def as_statistics(self, sampled: int = 0) -> Statistics:
        """The statistics of all pieces so far; `sampled`: the number of their elements, where others were left out."""
        return self._total.as_statistics(1, sampled, None) if self.seen else Statistics()


def _of_sparse(tensor: torch.Tensor) -> Statistics | None:
    """Statistics of the stored elements and of the zeros that are not stored."""
    try:
        stored = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()
    except (RuntimeError, AttributeError):  # a layout that has none to look at
        return None
    absent = tensor.numel() - stored.numel()
    if not tensor.numel():
        return Statistics()
    total, looked_at = _summed(stored.reshape(-1)) if stored.numel() else (Moments(), 0)
    if absent:
        total.reach(0.0, 0.0)
        total.zeros += absent
        total.add(absent, 0.0, 0.0)
    return total.as_statistics(1, looked_at, None)
