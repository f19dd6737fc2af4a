"""A tensor cut into pieces of a size, whatever its strides, without a copy of the whole."""

from __future__ import annotations

import math
from collections.abc import Iterator

import torch

Index = tuple[int | slice, ...]


def pieces(shape: tuple[int, ...], most: int) -> Iterator[Index]:
    """Indices that cut a tensor of that shape, in row-major order, into pieces of at most so many elements."""
    if math.prod(shape) <= most:
        yield ()
        return
    inner = math.prod(shape[1:])
    if inner > most:
        for place in range(shape[0]):
            for rest in pieces(shape[1:], most):
                yield (place, *rest)
    else:
        step = max(1, most // inner)
        for start in range(0, shape[0], step):
            yield (slice(start, start + step),)


def as_real(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor without its graph; a complex one as pairs of real numbers."""
    tensor = tensor.detach()
    return torch.view_as_real(tensor.resolve_conj()) if tensor.is_complex() else tensor


def numbers(tensor: torch.Tensor, index: Index) -> torch.Tensor:
    """A piece in double precision, as a vector (in single precision on a device that has no other)."""
    exact = torch.float64 if tensor.device.type != "mps" else torch.float32
    return tensor[index].reshape(-1).to(exact)
