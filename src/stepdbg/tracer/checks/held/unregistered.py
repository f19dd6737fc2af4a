"""Layers that no module knows of: those in a Python container or object that hangs on a module, and those that the
code of a forward makes anew.
"""

from __future__ import annotations

import dis
import re
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType
from typing import Any, NamedTuple

import torch
from torch import nn

from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import in_training, members_of, modules_of
from stepdbg.tracer.introspect.safe_access import entries_of, is_a

_DEEP = 3
"""Containers within each other that are looked into."""
_CONTAINERS = (list, tuple, dict)
_OWN = frozenset(vars(nn.Module()))
"""What torch keeps in every module."""
_LAYERS = re.compile(
    r"(Lazy)?(Linear|Bilinear|Conv(Transpose)?[123]d|\w+Norm([123]d)?|Embedding(Bag)?|(RNN|LSTM|GRU)(Cell)?|PReLU|"
    r"MultiheadAttention|Transformer\w*|Parameter)"
)
"""torch's classes that have parameters."""
_MOST = 400
"""Pieces of code that are read at most."""


class Hidden(NamedTuple):
    """A parameter of a layer in a container."""

    name: str
    """What the user would write: `model.layers[0].weight`."""
    container: str
    """`model.layers`."""
    kind: str
    """`list`, `tuple`, `dict`, or `object`."""
    owner: type
    """The class of the module that the container hangs on."""
    attribute: str
    """What the container is called there."""
    training: bool
    """Whether the layer is in training mode, or no layer but a parameter."""


def hidden_in(moment: Moment) -> Iterator[tuple[int, Hidden]]:
    """The parameters in containers that hang on modules of models, each with its `id`."""
    for name, module in moment.modules():
        for attribute, value in list(object.__getattribute__(module, "__dict__").items()):
            if attribute in _OWN or not (is_a(value, _CONTAINERS) or _is_holder(value)):
                continue
            kind = next((one.__name__ for one in _CONTAINERS if is_a(value, one)), "object")
            container = f"{name}.{attribute}"
            for path, one in _parts(value, container, 0):
                if is_a(one, nn.Parameter):
                    yield id(one), Hidden(path, container, kind, type(module), attribute, True)
                    continue
                for inner, part in modules_of(one):
                    for key, parameter in members_of(part)[0].items():
                        name_of_it = f"{path}.{inner}{key}"
                        yield (
                            id(parameter),
                            Hidden(name_of_it, container, kind, type(module), attribute, in_training(part)),
                        )


def _parts(value: Any, path: str, deep: int) -> Iterator[tuple[str, Any]]:
    """The modules and parameters in containers."""
    for step, one in entries_of(value):
        if is_a(one, (nn.Module, nn.Parameter)):
            yield path + step, one
        elif deep < _DEEP and (is_a(one, _CONTAINERS) or _is_holder(one)):
            yield from _parts(one, path + step, deep + 1)


def _is_holder(value: object) -> bool:
    """Whether it is an object of a class of the user's, and no module."""
    kind = type(value)
    if is_a(value, (nn.Module, torch.Tensor, torch.optim.Optimizer, type)):
        return False
    file = getattr(sys.modules.get(str(type.__dict__["__module__"].__get__(kind))), "__file__", None)
    return type(file) is str and frames.origin(file) == "user"


def line_that_sets(kind: type, attribute: str) -> Place | None:
    """The first line of the user's class that sets an attribute."""
    for one in type.mro(kind):
        for function in vars(one).values():
            if type(function) is FunctionType and frames.origin(function.__code__.co_filename) == "user":
                for instruction in dis.get_instructions(function.__code__):
                    if instruction.opname == "STORE_ATTR" and instruction.argval == attribute:
                        return function.__code__.co_filename, _line(instruction) or function.__code__.co_firstlineno
    return None


def lines_that_make_layers(moment: Moment) -> list[tuple[Place, str]]:
    """The lines of the user's code that runs in each forward which make a layer or a parameter, each with its class:
    in the methods of modules, but for their constructors, and in the functions beside the code that runs.
    """
    functions: dict[int, tuple[FunctionType, bool]] = {}
    for _, model in moment.models:
        for _, module in modules_of(model):
            for kind in type.mro(type(module)):
                for one in vars(kind).values():
                    if type(one) is FunctionType and one.__name__ != "__init__":
                        functions[id(one)] = one, True
    for frame in moment.stack:
        for one in list(frame.f_globals.values()):
            if type(one) is FunctionType:
                functions.setdefault(id(one), (one, False))
    own = [one for one in functions.values() if frames.origin(one[0].__code__.co_filename) == "user"]
    found: dict[Place, str] = {}
    for function, method in own[:_MOST]:
        for line, made in _made_in(function.__code__, function.__globals__):
            if method or made != "Parameter":
                found.setdefault((function.__code__.co_filename, line), made)
    return list(found.items())


def _made_in(code: CodeType, variables: dict[str, Any]) -> Iterator[tuple[int, str]]:
    """The lines that call a class of layers, each with the class."""
    asked = set[int | None]()
    instructions = [*dis.get_instructions(code)]
    for one in instructions:
        if one.argval in ("isinstance", "issubclass"):
            asked.add(_line(one))
    for one in instructions:
        name = one.argval
        if not one.opname.startswith(("LOAD_ATTR", "LOAD_METHOD", "LOAD_GLOBAL")) or type(name) is not str:
            continue
        value = variables.get(name) if one.opname == "LOAD_GLOBAL" else None
        is_layer = type(value) is type and issubclass(value, nn.Module) and value.__module__ != "torch.nn.functional"
        line = _line(one)
        if line is not None and line not in asked and (is_layer or _LAYERS.fullmatch(name)):
            yield line, name


def _line(instruction: dis.Instruction) -> int | None:
    return instruction.positions.lineno if instruction.positions is not None else None
