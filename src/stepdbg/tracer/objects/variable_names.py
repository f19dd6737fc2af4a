"""What the user calls things: a look around in the variables of their frames.

A name is an expression that the user could write: a variable (`model`), else what one or two steps lead to from one
(`models['G']`, `trainer.model`, `self.nets[0]`). The innermost frame has the first word, a variable comes before what
it leads to, and what looks private (`_model`) is a name only where nothing else is, and never in an object of a
library's making. Nothing of the user's or a library's runs for it: dictionaries are read as such, no property is asked.
"""

from __future__ import annotations

import dis
import weakref
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import BuiltinFunctionType, CodeType, FrameType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.safe_access import attributes_of, entries_of, is_a
from stepdbg.tracer.phases.loops import loops_of

_ENOUGH = 4000
"""The number of values looked at for one frame."""
_CALLS = 256
"""The number of calls of models that are remembered by what takes their output."""
_STEPS = 2
"""A name leads so many steps away from a variable."""
_PASSED_ON = ("args", "kwargs")
"""What a decorator calls the arguments that it passes on: names of last resort."""

_Interesting = (nn.Module, Optimizer, torch.Tensor)
_Opaque = (
    ModuleType,
    type,
    FunctionType,
    BuiltinFunctionType,
    MethodType,
    CodeType,
    FrameType,
    str,
    bytes,
    int,
    float,
    complex,
    type(None),
)


@dataclass(slots=True)
class Reachable:
    """What the user's variables lead to."""

    names: dict[int, str] = field(default_factory=dict)
    """The names of models, optimizers and tensors, by `id`."""
    modules: list[nn.Module] = field(default_factory=list)
    optimizers: list[Optimizer] = field(default_factory=list)
    tensors: dict[int, weakref.ref[torch.Tensor]] = field(default_factory=dict)
    """The tensors, by `id`."""
    variables: set[str] = field(default_factory=set)
    """The names that are taken, whatever they hold."""


def loop_variables(stack: Sequence[FrameType]) -> frozenset[str]:
    """The variables of loops in the user's frames, which mean another object in the next round; arguments are none."""
    found: set[str] = set()
    arguments: set[str] = set()
    for frame in stack:
        code = frame.f_code
        if frames.origin(code.co_filename) == "user":
            found |= loops_of(code).loop_variables()
            arguments.update(code.co_varnames[: code.co_argcount + code.co_kwonlyargcount])
    return frozenset(found - arguments)


def reachable_from(spaces: Sequence[Mapping[str, Any]], loop_names: Container[str] = ()) -> Reachable:
    """Everything that these variables lead to, the innermost frame's first; by `loop_names` only what has
    no other name. A name is that of one object: what an outer frame calls so goes by another name, or has none.
    """
    reachable = Reachable()
    private: dict[int, str] = {}
    called: dict[str, int] = {}
    seen: set[int] = set()
    for space in spaces:
        reachable.variables.update(space)
        for name, value, hidden in _leads(space):
            if not is_a(value, _Interesting):
                continue
            if called.setdefault(name, id(value)) == id(value):
                (private if hidden or name in loop_names else reachable.names).setdefault(id(value), name)
            if id(value) not in seen and not is_a(value, torch.Tensor):
                seen.add(id(value))
                if is_a(value, nn.Module):
                    reachable.modules.append(value)
                else:
                    reachable.optimizers.append(value)
            elif is_a(value, torch.Tensor):
                reachable.tensors.setdefault(id(value), weakref.ref(value))
    for key, name in private.items():
        if name != "self":
            reachable.names.setdefault(key, name)
    return reachable


def expressions_for(space: Mapping[str, Any], wanted: object) -> list[str]:
    """All that leads from these variables to that very object, nearest first; what is private comes last."""
    found = [(hidden, name) for name, value, hidden in _leads(space) if value is wanted and name != "self"]
    return [name for _, name in sorted(found, key=lambda lead: lead[0])]


def reachable_tensors(spaces: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors that these variables lead to, each once, by its first name; the innermost frame's first."""
    seen: set[int] = set()
    for space in spaces:
        for name, value, _ in _leads(space):
            if is_a(value, torch.Tensor) and id(value) not in seen:
                seen.add(id(value))
                yield name, value


def _leads(space: Mapping[str, Any]) -> Iterator[tuple[str, Any, bool]]:
    """The values that the variables of a frame lead to, nearest first: the expression, the value, and whether the
    expression is a name of last resort.
    """
    level: list[tuple[str, Any, bool]] = [
        (name, value, name.startswith("_") or (name in _PASSED_ON and type(value) in (tuple, dict)))
        for name, value in list(space.items())
        if not name.startswith("__") and name != "_" and name.isidentifier()  # (`.0` is a comprehension's own)
    ]
    visited: set[int] = set()
    for step in range(_STEPS + 1):
        following: list[tuple[str, Any, bool]] = []
        for name, value, hidden in level:
            if is_a(value, _Opaque):
                continue
            # inside a module's own method `self` says nothing: an outer frame knows the module by its name
            last_resort = hidden or (name == "self" and is_a(value, (nn.Module, Optimizer)))
            yield name, value, last_resort
            if step < _STEPS and id(value) not in visited and len(visited) < _ENOUGH:
                visited.add(id(value))
                following += [
                    (name + path, item, last_resort or path.startswith("._")) for path, item in _entries(value)
                ]
        level = following


def _entries(value: Any) -> list[tuple[str, object]]:
    """What one step leads to: the entries of a container, the attributes of an object."""
    if is_a(value, (torch.Tensor, Optimizer)):
        return []
    if is_a(value, nn.Module):  # its parameters and children have their names from it
        return [(path, item) for path, item in attributes_of(value) if is_a(item, (Optimizer, list, dict))]
    return list(entries_of(value))


def assigned_names(frame: FrameType) -> tuple[str, ...]:
    """The variables that take the value of the call which the frame is in: `y_hat` in `y_hat = model(x)`, `mu` and
    `logvar` in `mu, logvar = model(x)`.
    """
    return _assigned(frame.f_code, frame.f_lasti)


@lru_cache(_CALLS)
def _assigned(code: CodeType, place: int) -> tuple[str, ...]:
    """`assigned_names`, by where a function calls. (To read its instructions takes milliseconds.)"""
    found: list[str] = []
    wanted = 1
    for instruction in dis.get_instructions(code):
        if instruction.offset <= place or instruction.opname in ("CACHE", "EXTENDED_ARG"):
            continue
        if instruction.opname == "UNPACK_SEQUENCE" and wanted == 1 and not found:
            wanted = instruction.arg or 0
        elif instruction.opname in ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF"):
            found.append(instruction.argval)
        elif instruction.opname == "STORE_FAST_STORE_FAST":  # Python 3.13 on
            found += instruction.argval
        else:
            return ()
        if len(found) >= wanted:
            return tuple(found[:wanted])
    return ()


def taken_by(assigned: tuple[str, ...], path: str, several: int, place: int) -> str | None:
    """What one tensor of a model's output is called once these variables have taken the output.

    Args:
        assigned: The variables.
        path: Where the tensor is in the output: `['logits']`, `[0]`.
        several: So many tensors there are.
        place: Which of them it is.
    """
    first, bracket, rest = path[1:].partition("]")
    if len(assigned) == 1:
        name, rest = assigned[0], path
    elif path.startswith("[") and bracket and first.isdecimal() and int(first) < len(assigned):
        name = assigned[int(first)]
    elif len(assigned) == several:
        name, rest = assigned[place], ""
    else:
        return None
    return None if name == "_" else name + rest


def unique(name: str, taken: Container[str]) -> str:
    """The name, with a number if it is taken: `Net_2`."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
