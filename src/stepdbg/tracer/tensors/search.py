"""The next element of a kind, searched for a run of elements at a time, in row-major order."""

from __future__ import annotations

import time
from typing import NamedTuple

import torch

from stepdbg.protocol.messages import Condition, Found
from stepdbg.tracer.tensors import window as tensors

_RUN = 1 << 20
"""Elements that are looked at at a time."""
_SECONDS = 0.2
"""After so long the answer says how far it has come; the screen asks on, and can be left meanwhile."""


class Run(NamedTuple):
    """Elements that follow each other."""

    part: torch.Tensor
    """The part that is searched, in one dimension."""
    start: int
    """The number of the first."""


def find(
    tensor: torch.Tensor, less: torch.Tensor | None, condition: Condition, start: int, *, backwards: bool
) -> Found:
    """The first element from that number on (or back) for which the condition holds.

    Args:
        tensor: A readable one.
        less: One that is subtracted.
        condition: What holds of it.
        start: The number of the first element that is looked at.
        backwards: Whether to go back.
    """
    total, began = tensor.numel(), time.monotonic()
    while 0 <= start < total:
        run = run_to(tensor, start + 1, _RUN) if backwards else run_from(tensor, start, _RUN)
        part = run.part
        if less is not None:
            other = run_to(less, start + 1, _RUN) if backwards else run_from(less, start, _RUN)
            part = tensors.difference(part, other.part)
        places = torch.nonzero(matches(tensors.real(part), condition))
        if places.numel():
            return Found(run.start + int(places[-1 if backwards else 0]))
        start = run.start - 1 if backwards else run.start + run.part.numel()
        if time.monotonic() - began > _SECONDS and 0 <= start < total:
            return Found(None, start)
    return Found(None)


def matches(part: torch.Tensor, condition: Condition) -> torch.Tensor:
    """Whether the condition holds, for each of these real numbers."""
    part = part.to(torch.float32 if part.device.type == "mps" else torch.float64)  # in which ends are not rounded
    if condition.odd:
        return ~torch.isfinite(part)
    inside = torch.ones_like(part, dtype=torch.bool)
    if condition.low is not None:
        inside &= part >= condition.low
    if condition.high is not None:
        inside &= part <= condition.high
    return ~inside & ~torch.isnan(part) if condition.outside else inside


def run_from(tensor: torch.Tensor, start: int, size: int) -> Run:
    """Some elements from that number on, at most so many; without a copy of more than those."""
    if tensor.is_contiguous() or tensor.dim() < 2:
        return Run(tensor.reshape(-1)[start : start + size], start)
    each = tensor.numel() // tensor.shape[0]
    row, inside = divmod(start, each)
    if each > size:
        found = run_from(tensor[row], inside, size)
        return Run(found.part, row * each + found.start)
    rows = tensor[row : row + max(1, size // each)].reshape(-1)
    return Run(rows[inside:], start)


def run_to(tensor: torch.Tensor, end: int, size: int) -> Run:
    """Some elements before that number, at most so many."""
    if tensor.is_contiguous() or tensor.dim() < 2:
        first = max(0, end - size)
        return Run(tensor.reshape(-1)[first:end], first)
    each = tensor.numel() // tensor.shape[0]
    row = (end - 1) // each
    if each > size:
        found = run_to(tensor[row], end - row * each, size)
        return Run(found.part, row * each + found.start)
    first_row = max(0, row + 1 - max(1, size // each))
    return Run(tensor[first_row : row + 1].reshape(-1)[: end - first_row * each], first_row * each)
