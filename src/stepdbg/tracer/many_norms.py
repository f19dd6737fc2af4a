"""The norms of many small tensors at once: one by one, a hundred thousand of them take seconds.

Their bytes are joined, and each stretch of squares is added up in float64, where those of the types that are taken
here neither vanish nor overflow.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

TAKEN = frozenset((torch.float32, torch.float16, torch.bfloat16))
"""The types that are."""
_TOGETHER = 1 << 22
"""Bytes that are converted at a time."""


def norms(dtype: torch.dtype, held: Sequence[bytes], less: Sequence[bytes] | None = None) -> list[float]:
    """The 2-norm of each; NaN or infinite if an element is.

    Args:
        dtype: Of all of them, one that is `TAKEN`.
        held: The bytes of each.
        less: What is to be subtracted from each, of the same sizes.
    """
    found: list[float] = []
    start = 0
    while start < len(held):
        end, size = start, 0
        while end < len(held) and (size == 0 or size + len(held[end]) <= _TOGETHER):
            size += len(held[end])
            end += 1
        numbers = _joined(dtype, held[start:end])
        if less is not None:
            numbers -= _joined(dtype, less[start:end])
        lengths = torch.tensor([len(each) // dtype.itemsize for each in held[start:end]], device="cpu")
        places = torch.arange(end - start, device="cpu").repeat_interleave(lengths)
        sums = torch.zeros(end - start, dtype=torch.float64, device="cpu").index_add_(0, places, numbers.square_())
        found += sums.sqrt_().tolist()
        start = end
    return found


def _joined(dtype: torch.dtype, held: Sequence[bytes]) -> torch.Tensor:
    return torch.frombuffer(bytearray(b"".join(held)), dtype=dtype).to(torch.float64)
