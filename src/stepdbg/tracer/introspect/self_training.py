"""Modules that are trainers: their forward is the loop that trains what they hold (`trainer()`)."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import CodeType, FunctionType
from typing import Any

from torch import nn
from torch.optim import Optimizer

from stepdbg.tracer.introspect.layout import optimized_by, parameters_in
from stepdbg.tracer.introspect.safe_access import is_a

_CALLS = frozenset({"backward", "step"})
"""What such a loop calls, itself or in another method of the module."""
_FEW = 64
"""The number of methods that are read, and of optimizers that are looked at."""


def trains_itself(module: nn.Module) -> bool:
    """Whether the forward of a module calls backward and step, and the module holds the optimizers of all its own
    parameters that are trained. (One that trains a part of itself in its forward, as at test time, is a model.)
    """
    optimizers = [*islice(_optimizers_of(module), _FEW)]
    if not optimizers:
        return False
    optimized = {id(parameter) for optimizer in optimizers for parameter in optimized_by(optimizer)}
    trained = [parameter for parameter in parameters_in(module) if parameter.requires_grad]
    return all(id(parameter) in optimized for parameter in trained) and _names_in_forward(type(module)) >= _CALLS


def _optimizers_of(module: nn.Module) -> Iterator[Optimizer]:
    for value in [*object.__getattribute__(module, "__dict__").values()]:
        several = value if type(value) in (list, tuple) else [*value.values()] if type(value) is dict else (value,)
        yield from (one for one in several if is_a(one, Optimizer))


def _names_in_forward(kind: type) -> set[str]:
    """The names of attributes that a class's forward uses, and the methods of the class that it calls."""
    found: set[str] = set()
    read: set[CodeType] = set()
    waiting = ["forward"]
    while waiting and len(read) < _FEW:
        for code in _codes_of(_method(kind, waiting.pop())):
            if code not in read:
                read.add(code)
                waiting.extend(name for name in code.co_names if name not in found)
                found.update(code.co_names)
    return found


def _method(kind: type, name: str) -> Any:
    """The function that a class, or one that it derives from below `nn.Module`, has under that name; None for none."""
    for each in type.mro(kind):
        if each is nn.Module:
            break
        if name in (own := type.__getattribute__(each, "__dict__")):
            return own[name]
    return None


def _codes_of(method: Any) -> Iterator[CodeType]:
    """The code of a function, of those within it, and of what it is laid around as a decorator."""
    for _ in range(_FEW):
        if type(method) is not FunctionType:
            return
        waiting = [method.__code__]
        while waiting:
            yield (code := waiting.pop())
            waiting.extend(one for one in code.co_consts if type(one) is CodeType)
        method = method.__dict__.get("__wrapped__")
