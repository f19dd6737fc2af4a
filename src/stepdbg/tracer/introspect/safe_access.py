"""Looks into a value with no code of its own run: its class by the type alone, the entries of a container, the
attributes of an object, the tensors in a nest of both.
"""

from __future__ import annotations

import sys
from collections import UserDict
from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import nn

from stepdbg.tracer.introspect import stack as frames

FEW = 64
"""The number of entries of a container or an object that are looked into."""


def entries_of(value: Any) -> Iterator[tuple[str, object]]:
    """The first entries of a container (`[0]`, `['mask']`) or attributes of an object (`.logits`), read without
    running any code of theirs.
    """
    if is_a(value, UserDict):
        value = object.__getattribute__(value, "__dict__").get("data")
    if is_a(value, dict):
        items = list(islice(dict.items(value), FEW))
        yield from ((f"[{key!r}]", item) for key, item in items if type(key) in (str, int, bool))
    elif is_a(value, list):
        yield from ((f"[{place}]", item) for place, item in enumerate(list.__getitem__(value, slice(FEW))))
    elif is_a(value, tuple):
        fields = getattr(type(value), "_fields", ())
        for place, item in enumerate(tuple.__getitem__(value, slice(FEW))):
            yield (f".{fields[place]}" if place < len(fields) else f"[{place}]"), item
    else:
        yield from attributes_of(value)


def tensors_in(value: Any, path: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in a nest of containers and objects, with their paths (`[0]`, `['mask']`, `.loc`)."""
    if is_a(value, torch.Tensor):
        yield path, value
    elif depth <= 4:
        for step, item in entries_of(value):
            if type(item) is torch.Tensor:
                yield path + step, item
            else:
                yield from tensors_in(item, path + step, depth + 1)


def is_a(value: object, kinds: type | tuple[type, ...]) -> bool:
    """`isinstance` by the type alone: the real one asks a value that is none for its `__class__`, which may be the
    user's code.
    """
    return issubclass(type(value), kinds)


def attributes_of(value: object) -> list[tuple[str, object]]:
    """The first attributes of an object, the private ones too where its class is the user's own."""
    kind = type(value)
    if kind.__module__ == "builtins":
        return []
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    if not isinstance(attributes, dict):
        return []
    private = _is_users(kind) and not is_a(value, nn.Module)
    return [
        (f".{key}", item)
        for key, item in list(attributes.items())[:FEW]
        if isinstance(key, str) and (private or not key.startswith("_"))
    ]


def _is_users(kind: type) -> bool:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    return isinstance(file, str) and frames.origin(file) == "user"
