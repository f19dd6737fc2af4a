"""A tensor a piece at a time, of any strides, without a copy of the whole.

For figures over all elements the order does not matter: dimensions are taken in the order in which they lie in
memory, so that a transposed tensor is as quickly read as a straight one, and an expanded one is read once.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import torch


def in_memory_order(tensor: torch.Tensor) -> tuple[torch.Tensor, int]:
    """A view of each element that is stored, nearest neighbours last; and how often the tensor repeats them."""
    if not tensor.numel():
        return tensor.reshape(-1), 1
    repeats = 1
    view = tensor
    for dim in reversed(range(tensor.dim())):
        if tensor.stride(dim) == 0:
            repeats *= tensor.shape[dim]
        if tensor.stride(dim) == 0 or tensor.shape[dim] == 1:
            view = view.select(dim, 0)
    strides = view.stride()
    view = view.permute(*sorted(range(view.dim()), key=lambda dim: -strides[dim])) if view.dim() > 1 else view
    return (view.view(-1) if view.is_contiguous() else view), repeats


def pieces(tensor: torch.Tensor, size: int) -> Iterator[torch.Tensor]:
    """Views that together hold each element once, of at most `size` elements."""
    if tensor.numel() <= size or not tensor.dim():
        yield tensor
        return
    rows = tensor.shape[0]
    each = tensor.numel() // rows
    if each > size:
        for row in range(rows):
            yield from pieces(tensor[row], size)
        return
    step = size // each
    for start in range(0, rows, step):
        yield tensor[start : start + step]


def some_pieces(tensor: torch.Tensor, size: int, every: int) -> Iterator[torch.Tensor]:
    """Some of the pieces, evenly spread, without visiting the others."""
    if tensor.numel() <= size or not tensor.dim():
        yield tensor
        return
    rows = tensor.shape[0]
    each = tensor.numel() // rows
    if each > size:
        here = min(rows, every)
        for row in range(0, rows, here):
            yield from some_pieces(tensor[row], size, -(-every // here))
        return
    step = size // each
    for start in range(0, rows, step * every):
        yield tensor[start : start + step]


class Sample(NamedTuple):
    """Some of a tensor's elements."""

    elements: torch.Tensor
    """The elements, in one dimension."""
    repeats: int
    """How often the tensor repeats each of them."""
    passed_over: bool
    """Whether there are others."""


def spread(tensor: torch.Tensor, most: int) -> Sample:
    """About so many elements, evenly spread over all; at once for a tensor of any size."""
    stored, repeats = in_memory_order(tensor)
    step = max(1, -(-stored.numel() // most))
    if stored.dim() == 1 or step == 1:
        return Sample(stored.reshape(-1)[::step], repeats, step > 1)
    size = max(1, min(1 << 16, most))
    every = max(1, min(step, -(-stored.numel() // size) // 64))
    within = max(1, step // every)
    return Sample(torch.cat([part.reshape(-1)[::within] for part in some_pieces(stored, size, every)]), repeats, True)
