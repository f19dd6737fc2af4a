"""A value as Python writes it, where that runs nobody's code; of any other, its type.

The values of hyperparameters and of an optimizer's state are whatever a script has put there. Their `repr` may be the
script's own: it may raise, never end, or count its calls.
"""

from __future__ import annotations

import sys
from typing import Any

_WRITTEN = frozenset((type(None), bool, int, float, complex, str, bytes, type(...), range))
_NUMBERS = frozenset((bool, int, float, complex))
_CONTAINERS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}"), dict: ("{", "}")}
_LIBRARIES = ("torch", "numpy", "pathlib", "fractions", "decimal", "datetime")
"""Whose values write themselves without the user's code."""
_MOST = 64
"""Entries of a container that are written out."""
_DEPTH = 4
"""Containers within containers that are written out."""


def plain(value: object, depth: int = _DEPTH) -> str:
    """The value as it is written; of what would run code of the user's, its type."""
    kind = type(value)
    if kind in _WRITTEN:
        return repr(value)
    if kind in _CONTAINERS and depth:
        return _container(value, depth)
    if _is_a_librarys(kind):
        return repr(value)
    return str(type.__dict__["__qualname__"].__get__(kind))  # a metaclass may have one of its own


def key_in_words(key: object) -> str:
    """A key of a group or of a state: text as it is, anything else as `plain` writes it."""
    return key if type(key) is str else plain(key)


def number_of(value: object) -> complex | None:
    """The number that a value is, of Python's or of numpy's own types; None for anything else, as for a class of the
    script's that behaves like a number: to compare it would run the script's code.
    """
    if type(value) in _NUMBERS:
        return value  # type: ignore[return-value]
    numpy = sys.modules.get("numpy")
    if numpy is None or not _is_a_librarys(type(value)) or not issubclass(type(value), numpy.generic):
        return None
    found = numpy.generic.item(value)
    return found if type(found) in _NUMBERS else None


def _is_a_librarys(kind: type) -> bool:
    """Whether a library has written how such a value is written, and there can be nothing of the user's in it."""
    module = type.__dict__["__module__"].__get__(kind)
    return (
        isinstance(module, str)
        and module.partition(".")[0] in _LIBRARIES
        and all("__len__" not in vars(base) for base in kind.__mro__)  # (no array, no container)
    )


def _container(value: Any, depth: int) -> str:
    opening, closing = _CONTAINERS[type(value)]
    some = list(value)[:_MOST] if type(value) is not dict else list(value.items())[:_MOST]
    if type(value) is dict:
        words = [f"{plain(key, depth - 1)}: {plain(item, depth - 1)}" for key, item in some]
    else:
        words = [plain(item, depth - 1) for item in some]
    if len(value) > _MOST:
        words.append(f"... {len(value):,} entries")
    if type(value) is tuple and len(value) == 1:
        return f"({words[0]},)"
    return opening + ", ".join(words) + closing if value or type(value) is not set else "set()"
