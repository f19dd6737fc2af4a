"""The norms of many small tensors at once: one by one, a hundred thousand of them take seconds.

Their bytes are joined, and each stretch of squares is added up in float64, where those of the types that are taken
here neither vanish nor overflow.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import torch

from stepdbg.tracer.tensors.readable import Unreadable, local
from stepdbg.tracer.tensors.statistics import WHOLE, norm

TAKEN = frozenset((torch.float32, torch.float16, torch.bfloat16))
"""The types that are."""
_THERE = frozenset((*TAKEN, torch.float64))
"""The types whose norms a device works out for many tensors at once."""
_SAFE = (1e-15, 1e15)
"""Norms between which no square has vanished or overflowed in float32."""
_TOGETHER = 1 << 22
"""Bytes that are converted at a time."""


def norms(dtype: torch.dtype, data: Sequence[bytes], less: Sequence[bytes] | None = None) -> list[float]:
    """The 2-norm of each; NaN or infinite if an element is.

    Args:
        dtype: Of all of them, one that is `TAKEN`.
        data: The bytes of each.
        less: What is to be subtracted from each, of the same sizes.
    """
    found: list[float] = []
    start = 0
    while start < len(data):
        end, size = start, 0
        while end < len(data) and (size == 0 or size + len(data[end]) <= _TOGETHER):
            size += len(data[end])
            end += 1
        numbers = _joined(dtype, data[start:end])
        if less is not None:
            numbers -= _joined(dtype, less[start:end])
        lengths = torch.tensor([len(each) // dtype.itemsize for each in data[start:end]], device="cpu")
        places = torch.arange(end - start, device="cpu").repeat_interleave(lengths)
        sums = torch.zeros(end - start, dtype=torch.float64, device="cpu").index_add_(0, places, numbers.square_())
        found += sums.sqrt_().tolist()
        start = end
    return found


def norms_of(tensors: Sequence[torch.Tensor]) -> list[float | None]:
    """The 2-norm of each of these tensors, wherever they lie: a device is asked once for all that lie there.

    None where there are no numbers, where they cannot be read, or where there are too many.
    """
    found: list[float | None] = [None] * len(tensors)
    there = defaultdict[tuple[torch.device, torch.dtype], list[tuple[int, torch.Tensor]]](list)
    for place, tensor in enumerate(tensors):
        if tensor.is_cpu:
            found[place] = norm(tensor)
            continue
        try:
            plain, _ = local(tensor)
        except (RuntimeError, Unreadable):
            continue
        straight = plain.layout is torch.strided and plain.dtype in _THERE and plain.is_contiguous()
        if straight and 0 < plain.numel() <= WHOLE:
            there[plain.device, plain.dtype].append((place, plain))
        else:
            found[place] = norm(plain)
    for each in there.values():
        for (place, tensor), size in zip(each, _asked([tensor for _, tensor in each]), strict=True):
            beyond = size is None or (not math.isnan(size) and not _SAFE[0] < size < _SAFE[1])
            found[place] = norm(tensor) if beyond else size
    return found


def _asked(tensors: list[torch.Tensor]) -> list[float | None]:
    """The norms as the device of all these works them out; None where it cannot."""
    try:
        single = [] if tensors[0].dtype is torch.float64 else [torch.float32]
        sizes = torch._foreach_norm(tensors, 2, *single)
        return [*torch.stack(sizes).tolist()]
    except (RuntimeError, TypeError):
        return [None] * len(tensors)


def _joined(dtype: torch.dtype, data: Sequence[bytes]) -> torch.Tensor:
    return torch.frombuffer(bytearray(b"".join(data)), dtype=dtype).to(torch.float64)
