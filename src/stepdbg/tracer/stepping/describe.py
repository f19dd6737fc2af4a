"""The tensors of an inner stop: described, and put among what is alive, so that they are looked at like any other."""

from __future__ import annotations

from collections.abc import Iterable

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import dtype_name, shape_of

_FEW = 12
"""The number of tensors of one inner stop that are described at most."""


def describe_tensors(
    registry: Registry, of: str, new: Iterable[tuple[str, object]], given: Iterable[tuple[str, object]] = ()
) -> tuple[tuple[m.InnerTensor, ...], int]:
    """Describe tensors, and make them known by name.

    Args:
        registry: Where they become known, until training goes on.
        of: The unit that they belong to.
        new: What it has made or written, each with its label; tensors, or nests of them. Their figures are told.
        given: What had been given to it.

    Returns:
        The descriptions, and how many tensors have none.
    """
    names = {id(entry.tensor): name for name, entry in registry.alive.items() if entry.tensor is not None}
    described: list[m.InnerTensor] = []
    left_out = 0
    for values, figures in ((new, True), (given, False)):
        for label, value in values:
            for path, tensor in tensors_in(value):
                if len(described) >= _FEW:
                    left_out += 1
                    continue
                known_as = names.get(id(tensor))
                if known_as is None:
                    known_as = registry.scope.get(id(tensor)) or f"{label}{path} of {of}"
                    registry.alive[known_as] = Alive("variable", tensor)
                described.append(_described(label + path, known_as, tensor, figures=figures))
    return tuple(described), left_out


def _described(label: str, known_as: str, tensor: torch.Tensor, *, figures: bool) -> m.InnerTensor:
    with torch._C.DisableTorchFunctionSubclass():
        return m.InnerTensor(
            label,
            known_as,
            shape_of(tensor),
            dtype_name(tensor.dtype),
            str(tensor.device),
            _statistics(tensor) if figures else None,
        )


def _statistics(tensor: torch.Tensor) -> m.Statistics | None:
    """The statistics of a tensor; None where it has no numbers, or none that torch can work with."""
    try:
        value, _ = tensors.readable(tensor)
        return None if value is None else tensors.statistics(value)
    except RuntimeError:
        return None
