"""Wrappers around models and optimizers: what stands behind them, and which of the two the user knows by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from torch import nn
from torch.optim import Optimizer

from stepdbg.tracer.introspect.layout import buffers_in, held_by, parameters_in

_CHILD = ("module", "_orig_mod", "_fsdp_wrapped_module")
"""What they wrap: `DistributedDataParallel`, `DataParallel`; `torch.compile`; `FullyShardedDataParallel`."""
_HIDDEN_CHILD = ("_original_module", "_forward_module", "_module")
"""The same where the wrapper looks attributes up in what it wraps: Lightning's Fabric, Opacus."""
_INNER_OPTIMIZER = ("optimizer", "_optimizer")
"""accelerate; Lightning and its Fabric."""


def wrapped(model: nn.Module) -> nn.Module | None:
    """What that model wraps: a child that holds everything there is, known by what the wrappers call it."""
    parameters, buffers, modules = held_by(model)
    if any(item is not None for item in (*parameters.values(), *buffers.values())):
        return None
    inside: dict[str, nn.Module | None] = dict(modules.items())
    named = [inside.get(name) for name in (*_HIDDEN_CHILD, *_CHILD)]
    children = [child for child in named if child is not None]
    held = _tensors_in(model) if children else set()
    for child in children:
        if held <= _tensors_in(child):
            return child
    return None


def _tensors_in(model: nn.Module) -> set[int]:
    return set(map(id, chain(parameters_in(model), buffers_in(model))))


def wraps(model: nn.Module | None, modules: set[int]) -> bool:
    """Whether one of these (by `id`) is what that model wraps."""
    while model is not None:
        model = wrapped(model)
        if model is not None and id(model) in modules:
            return True
    return False


def known_as(model: nn.Module, names: Mapping[int, str]) -> tuple[nn.Module, str | None]:
    """The module to list, and its name: what the user's variable refers to, be it the wrapper or what it wraps.

    Where neither has a name, what is wrapped is listed.
    """
    inner = wrapped(model)
    if inner is None:
        return model, names.get(id(model))
    listed, name = known_as(inner, names)
    own = names.get(id(model))
    if name is not None or own is None:
        return listed, name
    modules = dict(held_by(model)[2].items())
    hidden = any(modules.get(child) is inner for child in _HIDDEN_CHILD)
    return (listed if hidden else model), own


def names_behind(optimizers: Sequence[Optimizer], names: Mapping[int, str]) -> dict[int, str]:
    """What the optimizers in sight are called, by the `id` of what stands behind wrappers: the first has the word."""
    named = ((id(innermost(optimizer)), names.get(id(optimizer))) for optimizer in reversed(optimizers))
    return {**names, **{key: name for key, name in named if name is not None}}


def innermost(optimizer: Optimizer) -> Optimizer:
    """The optimizer that holds the groups and the state: a wrapper without any of its own passes all on to it."""
    for _ in range(4):
        attributes = object.__getattribute__(optimizer, "__dict__")
        if "param_groups" in attributes:
            break
        inner: Any = next((attributes[name] for name in _INNER_OPTIMIZER if name in attributes), None)
        if not issubclass(type(inner), Optimizer):
            break
        optimizer = inner
    return optimizer
