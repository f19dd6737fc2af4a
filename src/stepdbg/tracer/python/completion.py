"""What a name that is being typed could go on as; nothing of the user's runs for it, no property and no `__dir__`."""

from __future__ import annotations

import ast
import inspect
import keyword
import re
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch import nn

from stepdbg.protocol.messages import Completions
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.python.namespace import ConsoleNamespace

MOST = 200
"""Names that are offered."""
_ENDING = re.compile(
    r"""
    (?<![\w.)\]])                                                      # not within a number or after a call
    (?P<base>[^\W\d]\w*(?:\.\w+|\[-?\w+\]|\['[^']*'\]|\["[^"]*"\])*\.)?  # optimizer.param_groups[0]['lr'].
    (?P<start>\w*)\Z
    """,
    re.VERBOSE,
)


class _Unknown(Exception):
    """Without running code there is no telling."""


def completions(text: str, space: ConsoleNamespace) -> Completions:
    """The names of a line up to the cursor, seen from these variables."""
    found = _ENDING.search(text)
    if found is None or found["start"][:1].isdigit():
        return Completions(len(text))
    start, base = found["start"], found["base"]
    try:
        names = attributes(_value(ast.parse(base[:-1], mode="eval").body, space)) if base else _names(space)
    except (_Unknown, SyntaxError):
        names = []
    return Completions(found.start("start"), tuple(_fitting(names, start))[:MOST])


def _names(space: ConsoleNamespace) -> Iterator[str]:
    yield from space.names()
    yield from keyword.kwlist


def _fitting(names: Iterable[str], start: str) -> list[str]:
    """The names that begin so, private ones only where they are asked for, each once."""
    fits = (name for name in names if name.startswith(start) and (start.startswith("_") or not name.startswith("_")))
    return sorted(dict.fromkeys(fits), key=str.lower)


def attributes(value: object) -> list[str]:
    """The names after a dot."""
    kind = value if is_a(value, type) else type(value)
    found = list(_own_attributes(value))
    for base in type.__dict__["__mro__"].__get__(kind):
        found += type.__dict__["__dict__"].__get__(base)
    return [name for name in found if type(name) is str and name.isidentifier()]


def _own_attributes(value: object) -> dict[str, Any]:
    """What an object holds itself: its `__dict__`, and of a module its parameters, buffers and children."""
    try:
        own = object.__getattribute__(value, "__dict__")
    except (AttributeError, TypeError):
        return {}
    if not is_a(own, dict):
        return {}
    found = dict(own)
    if is_a(value, nn.Module):
        for part in ("_parameters", "_buffers", "_modules"):
            found |= found.get(part) or {}
    return found


def _value(node: ast.expr, space: ConsoleNamespace) -> object:
    """What an expression of names, dots and constant indices stands for."""
    match node:
        case ast.Name(id=name):
            return _named(name, space)
        case ast.Attribute(value=inner, attr=name):
            return _attribute(_value(inner, space), name)
        case ast.Subscript(value=inner, slice=key):
            return _entry(_value(inner, space), key)
    raise _Unknown


def _named(name: str, space: ConsoleNamespace) -> object:
    try:
        return space[name]
    except KeyError:
        builtins = dict.__getitem__(space, "__builtins__")
        if name in vars(builtins):
            return vars(builtins)[name]
        raise _Unknown from None


def _attribute(value: object, name: str) -> object:
    own = _own_attributes(value)
    if name in own:
        return own[name]
    if is_a(value, torch.Tensor):  # most of what a tensor's attributes are
        return torch.empty(0) if name in ("grad", "data", "T", "mT", "real") else _unknown()
    try:
        found = inspect.getattr_static(value, name)
    except AttributeError:
        raise _Unknown from None
    if hasattr(type(found), "__get__") and not inspect.isroutine(found):
        raise _Unknown  # a property
    return found


def _entry(value: object, key: ast.expr) -> object:
    try:
        place: Any = ast.literal_eval(key)
        for base in (list, tuple, dict):
            if is_a(value, base):
                read: Any = base.__getitem__
                return read(value, place)
    except (ValueError, LookupError, TypeError):
        pass
    raise _Unknown


def _unknown() -> object:
    raise _Unknown
