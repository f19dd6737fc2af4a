"""What a user types to find tensors: words of a name, `class:Linear`, `dtype:bf16`, `grad:none`, `changed`, `frozen`,
`nan`. All words must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from stepdbg.errors import FilterError

WORDS = ("changed", "frozen", "nan")
"""Words that are more than part of a name; `name:nan` finds what is called so."""
KEYS = ("name:", "class:", "dtype:", "grad:")
KNOWN = "class:Linear dtype:bf16 grad:none changed frozen nan name:…"
"""For those who ask what there is."""
_TYPES = {
    "bf16": "bfloat16", "fp16": "float16", "f16": "float16", "half": "float16", "fp32": "float32", "f32": "float32",
    "fp64": "float64", "f64": "float64", "double": "float64", "fp8": "float8", "f8": "float8",
    "i8": "int8", "i16": "int16", "i32": "int32", "i64": "int64", "long": "int64", "u8": "uint8",
}  # fmt: skip


class Filter(NamedTuple):
    """A filter, understood."""

    names: tuple[str, ...] = ()
    """Patterns in lower case, each to be found in the name."""
    classes: tuple[str, ...] = ()
    dtypes: tuple[str, ...] = ()
    no_grad: bool = False
    changed: bool = False
    frozen: bool = False
    nan: bool = False

    @property
    def moves(self) -> bool:
        """Whether what it finds may be other tensors at each stop."""
        return self.no_grad or self.changed or self.frozen or self.nan


def understood(words: str) -> Filter:
    """The filter that was typed. One that ends in the midst of a word holds for whatever the word may become.

    Raises:
        FilterError: there is no such filter.
    """
    names: list[str] = []
    classes: list[str] = []
    dtypes: list[str] = []
    flags: set[str] = set()
    for word in words.split():
        key, colon, value = word.partition(":")
        match key.lower() + colon:
            case "name:":
                names.append(value.lower())
            case "class:":
                classes.append(value.lower())
            case "dtype:":
                value = value.lower().removeprefix("torch.")
                dtypes.append(_TYPES.get(value, value))
            case "grad:":
                if not "none".startswith(value.lower()):
                    raise FilterError(f"grad:{value} is not known, only grad:none")
                flags |= {"grad:none"} if value else set()
            case other if other in WORDS:
                flags.add(other)
            case _ if colon:
                raise FilterError(f"{key}: is not known; there are {KNOWN}")
            case _:
                names.append(word.lower())
    return Filter(
        tuple(filter(None, names)),
        tuple(filter(None, classes)),
        tuple(filter(None, dtypes)),
        "grad:none" in flags,
        "changed" in flags,
        "frozen" in flags,
        "nan" in flags,
    )


def is_wild(pattern: str) -> bool:
    """Whether a word of a name has `*` or `?` in it, which stand for others."""
    return "*" in pattern or "?" in pattern


def matcher(pattern: str) -> Callable[[str], object]:
    """What tells whether such a word is in one of some names, a line each, all in lower case."""
    stands_for = {"*": "[^\\n]*", "?": "[^\\n]"}
    return re.compile("".join(stands_for.get(letter) or re.escape(letter) for letter in pattern.strip("*"))).search
