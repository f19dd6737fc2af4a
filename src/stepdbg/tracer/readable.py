"""What of a tensor can be read as numbers, and how a part of it becomes real numbers.

Nothing is converted whole that is large: what is complex or quantised stays so until a part of it has been cut out.
"""

from __future__ import annotations

import torch

DENSE = 1 << 22
"""Elements up to which a sparse tensor is laid out densely."""
_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
_PER_AXIS = (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
"""Quantised with a scale for each channel: such a tensor cannot be cut along the others."""


def local(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
    """What of a tensor lies in this process, with a word on the rest.

    A `DTensor` holds a shard of its own; an operation on the whole would wait for the other ranks.
    """
    shard = getattr(tensor, "_local_tensor", None)
    if not isinstance(shard, torch.Tensor):
        return tensor.detach(), ""
    placements = ", ".join(str(placement) for placement in getattr(tensor, "placements", ()))
    size = "×".join(str(number) for number in tensor.shape)
    return shard.detach(), f"this rank's shard of {size}, placed {placements or 'nowhere'}"


def stored_bytes(tensor: torch.Tensor) -> int:
    """Bytes that it takes in this process: of a `DTensor` its shard, of a sparse one what it stores."""
    tensor, _ = local(tensor)
    if tensor.layout is torch.sparse_coo:
        return tensor._values().nbytes + tensor._indices().nbytes
    if tensor.layout in _COMPRESSED:
        return tensor.values().nbytes
    return tensor.nbytes if tensor.layout is torch.strided else 0


def readable(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The tensor in a form that can be cut, and what a reader must know of it; None where there are no numbers.

    What is cut from it may still be complex or quantised: see `real`.
    """
    tensor, note = local(tensor)
    notes = [note] if note else []
    if tensor.device.type == "meta":
        return None, "on the meta device: a shape without numbers"
    if tensor.layout is not torch.strided:
        layout = str(tensor.layout).removeprefix("torch.")
        if tensor.numel() > DENSE:
            return None, f"{layout}: too large to be shown dense; figures are of all elements"
        tensor = tensor.to_dense()
        notes.append(f"{layout}: shown dense")
    if tensor.is_quantized:
        notes.append("quantised: shown dequantised")
        if tensor.qscheme() in _PER_AXIS:
            tensor = tensor.dequantize()
    if tensor.is_complex():
        notes.append("complex: shown as absolute values")
    if not _has_numbers(tensor):
        return None, f"{str(tensor.dtype).removeprefix('torch.')}: torch has no numbers of this type to show"
    return tensor, "; ".join(notes)


def real(part: torch.Tensor) -> torch.Tensor:
    """A part of a readable tensor as real numbers; what holds such already is given back as it is."""
    if part.is_quantized:
        part = part.dequantize()
    if part.is_complex():
        part = part.abs() if part.dtype is not torch.complex32 else part.to(torch.complex64).abs()
    return part


def _has_numbers(tensor: torch.Tensor) -> bool:
    """Whether torch can convert elements of this type: some (`bits8`, `float4_e2m1fn_x2`) it only stores."""
    if tensor.is_quantized:
        return True
    try:
        torch.zeros(1, dtype=torch.uint8).expand(tensor.element_size()).contiguous().view(tensor.dtype).to(
            torch.float64
        )
    except RuntimeError:
        return False
    return True
