"""The elements of a tensor that are not finite: how many, which is the first, and in which rows they lie."""

from __future__ import annotations

from typing import NamedTuple

import torch

from stepdbg.tracer.tensors.readable import Unreadable, local

FEW = 8
"""The most rows that are named."""


class Bad(NamedTuple):
    """What of a tensor is not finite."""

    nan: bool
    """Whether these are NaN: where there are any, infinities beside them are not counted."""
    number: int
    of: int
    at: tuple[int, ...]
    """The index of the first."""
    rows: tuple[int, ...]
    """The places along the first axis, a few; empty where it is all of them, or there are too many."""


def bad_elements(tensor: torch.Tensor, *, infinite: bool) -> Bad | None:
    """What of it is not finite; None where all is, or it cannot be read.

    Args:
        tensor: Any tensor; of a `DTensor`, what lies in this process.
        infinite: Whether an infinity counts, where there is no NaN.
    """
    numbers = plain(tensor)
    if numbers is None or not numbers.numel():
        return None
    where = torch.isnan(numbers)
    nan = bool(where.any())
    if not nan:
        if not infinite:
            return None
        where = torch.isinf(numbers)
        if not bool(where.any()):
            return None
    flat = int(where.reshape(-1).to(torch.uint8).argmax())
    return Bad(nan, int(where.sum()), numbers.numel(), index_of(flat, tuple(numbers.shape)), _rows(where))


def plain(tensor: torch.Tensor) -> torch.Tensor | None:
    """The floating or complex numbers of a tensor that lie in this process; None where there are none."""
    try:
        found, _ = local(tensor)
    except (Unreadable, RuntimeError):
        return None
    if found.layout is torch.sparse_coo:
        found = found._values()
    usable = found.dtype.is_floating_point or found.dtype.is_complex
    if not usable or found.layout is not torch.strided or found.is_quantized or found.is_meta or found.is_nested:
        return None
    return found


def index_of(flat: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of an element, by its place in order."""
    found: list[int] = []
    for size in reversed(shape):
        found.append(flat % size)
        flat //= size
    return tuple(reversed(found))


def _rows(where: torch.Tensor) -> tuple[int, ...]:
    if where.dim() == 0:
        return ()
    rows = where.reshape(where.shape[0], -1).any(dim=1)
    number = int(rows.sum())
    return () if number > FEW or number == where.shape[0] else tuple(rows.nonzero().reshape(-1).tolist())
