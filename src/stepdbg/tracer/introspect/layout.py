"""What modules and optimizers hold, read as torch lays it out: no method and no property of the user's is run for it.

A script may override `parameters`, `named_parameters`, `__getattr__`, `__iter__` or `state_dict` as it likes: they may
take arguments, return lists, count their calls, raise, or never end. What there is hangs in torch's own dictionaries.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any

import torch
from torch import nn

from stepdbg.tracer.tensors.readable import shape_of

_attributes = object.__getattribute__
_NOTHING: Mapping[str, Any] = {}
_PLAIN = frozenset((torch.Tensor, nn.Parameter))


def members_of(module: nn.Module) -> tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, Any]]:
    """A module's own parameters, buffers and children by their keys; `None` stands in the place of some."""
    own = _attributes(module, "__dict__").get
    # (a ScriptModule's have a length, keys, values and items, and nothing else)
    return own("_parameters", _NOTHING), own("_buffers", _NOTHING), own("_modules", _NOTHING)


def child_of(module: nn.Module, key: str) -> nn.Module | None:
    """The module that a module holds by that key; None where it holds none."""
    children: Any = members_of(module)[2]
    found = children.get(key) if isinstance(children, dict) else dict(children.items()).get(key)
    return found if issubclass(type(found), nn.Module) else None


def is_compiled(module: nn.Module) -> bool:
    """Whether the module's call runs what `torch.compile` has made of it."""
    kind = type.__dict__["__name__"].__get__(type(module))
    return kind == "OptimizedModule" or _attributes(module, "__dict__").get("_compiled_call_impl") is not None


def in_training(module: nn.Module) -> bool:
    """Whether a module is in training mode, as far as its own attributes tell."""
    own = _attributes(module, "__dict__")
    flag = own.get("training", True)
    if "training" not in own and issubclass(type(script := own.get("_c")), torch._C.ScriptModule):
        flag = script.getattr("training") if script.hasattr("training") else True
    return bool(flag) if type(flag) in (bool, int) else True


def modules_of(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """The model and all modules in it, each with what the names of its parameters begin with; several times where it
    is held several times, but not within itself.
    """
    ahead: list[tuple[str, nn.Module, Any]] = [("", model, None)]
    seen: set[int] = set()
    while ahead:
        prefix, module, above = ahead.pop()
        yield prefix, module
        seen.add(id(module))
        if len(children := members_of(module)[2]):
            link = (module, above)
            ahead += [
                (f"{prefix}{key}.", child, link)
                for key, child in reversed(list(children.items()))
                if child is not None and not (id(child) in seen and _is_above(child, link))
            ]


def any_in(model: nn.Module, modules: Container[int]) -> bool:
    """Whether any of these modules (by `id`) is that model or a part of it."""
    return any(id(module) in modules for _, module in modules_of(model))


def _is_above(module: nn.Module, link: Any) -> bool:
    while link is not None:
        if link[0] is module:
            return True
        link = link[1]
    return False


def parameters_in(model: nn.Module) -> Iterator[torch.Tensor]:
    """The parameters of a model and of all modules in it, each once."""
    return _each_once(model, 0)


def is_copy(module: nn.Module, models: Iterable[nn.Module]) -> bool:
    """Whether a module is made like one of these models, and shares no parameter with any of them: an average of its
    weights, a target network, a frozen reference.
    """
    models = list(models)
    alike = [model for model in models if type(model) is type(module) and model is not module]
    own = list(parameters_in(module)) if alike else []
    shapes = list(map(shape_of, own))
    if not own or not any(shapes == list(map(shape_of, parameters_in(model))) for model in alike):
        return False
    ids = set(map(id, own))
    return all(id(parameter) not in ids for model in models for parameter in parameters_in(model))


def buffers_in(model: nn.Module) -> Iterator[torch.Tensor]:
    """The buffers, likewise."""
    return _each_once(model, 1)


def _each_once(model: nn.Module, which: int) -> Iterator[torch.Tensor]:
    seen: set[int] = set()
    ahead, seen = [model], {id(model)}
    for module in ahead:
        members = members_of(module)
        for tensor in members[which].values():
            if tensor is not None and id(tensor) not in seen:
                seen.add(id(tensor))
                yield tensor
        for child in members[2].values():
            if child is not None and id(child) not in seen:
                seen.add(id(child))
                ahead.append(child)


def groups_of(optimizer: Any) -> list[dict[str, Any]]:
    """The parameter groups; of a wrapper, what it says.

    Empty where there are none: a subclass may not have called torch's `__init__` yet.
    """
    groups = _own_or_asked(optimizer, "param_groups")
    found = groups if isinstance(groups, (list, tuple)) else ()
    return [group for group in found if isinstance(group, dict)]


def parameters_of_group(group: Mapping[str, Any]) -> list[torch.Tensor]:
    """The tensors that a parameter group holds."""
    parameters = group.get("params")
    if not isinstance(parameters, (list, tuple)):
        return []
    if _PLAIN.issuperset(map(type, parameters)):  # nearly always, and no step of Python for each of them
        return [*parameters]
    return [one for one in parameters if issubclass(type(one), torch.Tensor)]


def optimized_by(optimizer: Any) -> Iterator[torch.Tensor]:
    """The parameters of all its groups."""
    return chain.from_iterable(map(parameters_of_group, groups_of(optimizer)))


def states_of(optimizer: Any) -> Iterable[tuple[Any, dict[Any, Any]]]:
    """Parameters, with the dictionary that each has in the optimizer's state."""
    states = _own_or_asked(optimizer, "state")
    if not isinstance(states, dict):
        return ()
    return [(parameter, state) for parameter, state in dict.items(states) if isinstance(state, dict)]


def _own_or_asked(optimizer: Any, name: str) -> Any:
    own = _attributes(optimizer, "__dict__")
    if name in own:
        return own[name]
    try:
        return getattr(optimizer, name, None)
    except Exception:  # the user's own property
        return None
