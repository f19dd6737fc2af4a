"""Wrappers around models and optimizers: what stands behind them, and which of the two the user knows by name."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import Any

from torch import nn
from torch.optim import Optimizer

from stepdbg.tracer.introspect.layout import buffers_in, members_of, optimized_by, parameters_in

_CHILD = ("module", "_orig_mod", "_fsdp_wrapped_module")
"""What they wrap: `DistributedDataParallel`, `DataParallel`; `torch.compile`; `FullyShardedDataParallel`."""
_HIDDEN_CHILD = ("_original_module", "_forward_module", "_module")
"""The attribute of a wrapper that looks attributes up in what it wraps: Lightning's Fabric, Opacus."""
_INNER_OPTIMIZER = ("optimizer", "_optimizer")
"""accelerate; Lightning and its Fabric."""


def wrapped(model: nn.Module) -> nn.Module | None:
    """What that model wraps: a child that holds everything there is, known by what the wrappers call it."""
    parameters, buffers, modules = members_of(model)
    if any(item is not None for item in (*parameters.values(), *buffers.values())):
        return None
    inside: dict[str, nn.Module | None] = dict(modules.items())
    named = [inside.get(name) for name in (*_HIDDEN_CHILD, *_CHILD)]
    children = [child for child in named if child is not None]
    tensors = _tensors_in(model) if children else set()
    for child in children:
        if tensors <= _tensors_in(child):
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
    modules = dict(members_of(model)[2].items())
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


_keys: dict[int, tuple[weakref.ref[Optimizer], int]] = {}
"""The keys of the optimizers that were asked for, by their own `id`."""


def key_of(optimizer: Any) -> int | None:
    """What tells one optimizer from another: which parameters it held when it was first seen. None for what is none.

    By that a wrapper counts as what it wraps, and two optimizers that take turns over the same parameters as one; but
    one over the parameters of two models is told from one that holds the first model's alone.
    """
    if not issubclass(type(optimizer), Optimizer):
        return None
    known = _keys.get(id(optimizer))
    if known is not None and known[0]() is optimizer:
        return known[1]
    ids = _parameter_ids(optimizer)
    key = ids[0] if ids else id(optimizer)
    for other, taken in [(one(), taken) for one, taken in _keys.values()]:
        if other is not None and taken == key:
            if set(_parameter_ids(other)) == set(ids):
                break
            key = id(optimizer)
    _keys[id(optimizer)] = (weakref.ref(optimizer, functools.partial(_forget, id(optimizer))), key)
    return key


def _parameter_ids(optimizer: Optimizer) -> list[int]:
    """The `id` of each parameter."""
    try:
        return [id(parameter) for parameter in optimized_by(optimizer)]
    except Exception:  # groups of the user's own making
        return []


def _forget(key: int, _: Any) -> None:
    _keys.pop(key, None)
