"""How many distinct values a tensor holds, where those are few and soon counted."""

from __future__ import annotations

import torch

from stepdbg.tracer.tensors.chunks import spread
from stepdbg.tracer.tensors.moments import in_doubles
from stepdbg.tracer.tensors.readable import real

DISTINCT = 64
"""The largest number of distinct values that is said."""
_MOST_DISTINCT = 1 << 18
"""Elements up to which distinct values are counted."""


def count_distinct(stored: torch.Tensor) -> int | None:
    """How many distinct values there are, where those are few and soon counted."""
    if stored.numel() > _MOST_DISTINCT:
        return None
    few = _count(spread(stored, 4 * DISTINCT).elements.cpu())
    if few > DISTINCT:
        return None
    found = few if stored.numel() <= 4 * DISTINCT else _count(stored)
    return found if found <= DISTINCT else None


def _count(part: torch.Tensor) -> int:
    if part.is_complex():  # as they are: absolute values of the same number may differ in their last bit
        wide = part.resolve_conj().to(torch.complex64 if part.dtype is torch.complex32 else part.dtype)
        pairs = torch.view_as_real(wide).reshape(-1, 2)
        return int(torch.unique(pairs[~torch.isnan(pairs).any(1)], dim=0).shape[0])
    numbers = real(part).reshape(-1)
    if numbers.dtype not in (torch.int32, torch.int64, torch.bool, torch.uint8):
        numbers = in_doubles(numbers)
        numbers = numbers[~torch.isnan(numbers)]
    return int(torch.unique(numbers).numel())
