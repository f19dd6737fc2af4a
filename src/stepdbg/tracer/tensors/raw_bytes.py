"""The raw bytes of a tensor's elements, in row-major order, in pieces that need little memory.

All platforms of stepdbg are little-endian, as the files are that these bytes go into.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterator

import torch

from stepdbg.tracer.tensors.chunks import pieces

PIECE = 16 * 1024 * 1024
"""Bytes that are brought into order, converted or fetched from a device at a time."""


def raw_bytes(
    tensor: torch.Tensor, convert: Callable[[torch.Tensor], torch.Tensor] | None = None
) -> Iterator[memoryview]:
    """The bytes; each piece is good until the next is asked for.

    Args:
        tensor: A strided one, on any device.
        convert: Applied to each piece, to give it another dtype.
    """
    tensor = tensor.detach()
    straight = tensor.device.type == "cpu" and tensor.is_contiguous() and not (tensor.is_conj() or tensor.is_neg())
    if convert is None and straight:
        if tensor.numel():
            yield _view(tensor)
        return
    for piece in pieces(tensor, PIECE // tensor.element_size()):
        if not piece.numel():
            continue
        ordered = piece.resolve_conj().resolve_neg().cpu().contiguous()
        if convert is not None:
            ordered = convert(ordered)
        yield _view(ordered)


def _view(tensor: torch.Tensor) -> memoryview:
    """The buffer of a contiguous tensor on the CPU itself."""
    size = tensor.numel() * tensor.element_size()
    view = memoryview((ctypes.c_char * size).from_address(tensor.data_ptr())).cast("B")
    return view
