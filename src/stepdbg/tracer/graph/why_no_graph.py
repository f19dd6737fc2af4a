"""Why a tensor has no graph behind it, as far as that can be told afterwards."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from stepdbg.protocol.messages import Kind
from stepdbg.tracer.graph.walk import node_of
from stepdbg.tracer.tensors.readable import dtype_name


def why_none(name: str, kind: Kind, tensor: torch.Tensor, others: Iterable[tuple[str, torch.Tensor]]) -> str:
    """A sentence about a tensor that has no `grad_fn`.

    Args:
        name: What it is called.
        kind: What it is.
        tensor: Itself.
        others: Tensors by name, among them that which it may have been detached from.
    """
    if tensor.requires_grad:
        if kind == "parameter":
            return f"{name} is a leaf: no operation made it; graphs end at it."
        return f"{name} is a leaf: it was made with requires_grad, by no operation that autograd recorded."
    if kind == "parameter":
        return f"{name} is frozen: requires_grad is False, so nothing that is computed from it is recorded for it."
    if tensor.is_inference():
        return (
            f"{name} was computed under torch.inference_mode: nothing was recorded, and no backward can go through it."
        )
    if not (tensor.is_floating_point() or tensor.is_complex()):
        words = dtype_name(tensor.dtype)
        return f"{name} is {words}: only floating-point and complex tensors have gradients."
    if (origin := _detached_from(tensor, others)) is not None:
        return f"{name} is detached: it shares the memory of {origin}, which has a graph."
    if kind == "grad":
        return f"{name} was written by a backward without create_graph, which records nothing."
    if kind == "batch":
        return f"{name} came from the data: nothing computed it, and it needs no gradient."
    if kind == "buffer":
        return f"{name} is a buffer: it needs no gradient."
    if kind == "state":
        return f"{name} is the optimizer's own: step computes it under no_grad."
    return (
        f"{name} was computed with nothing recorded: under no_grad, or from tensors none of which needs a gradient, or "
        "copied from a detached one. Which of these it was cannot be known afterwards."
    )


def _detached_from(tensor: torch.Tensor, others: Iterable[tuple[str, torch.Tensor]]) -> str | None:
    """The tensor with a graph that has the same memory."""
    pointer = _pointer(tensor)
    if pointer is None:
        return None
    for name, other in others:
        if other is not tensor and node_of(other) is not None and _pointer(other) == pointer:
            return name
    return None


def _pointer(tensor: torch.Tensor) -> int | None:
    """The address of a tensor's memory; None where it has none of its own."""
    try:
        return tensor.untyped_storage().data_ptr() or None
    except (RuntimeError, NotImplementedError):
        return None
