"""Keys as people write them."""

from __future__ import annotations

import contextlib
import re
import unicodedata

_SHOWN = {
    "escape": "esc", "pageup": "page up", "pagedown": "page down", "slash": "/", "backslash": "\\", "at": "@",
    "minus": "-", "plus": "+", "underscore": "_", "greater_than_sign": ">", "less_than_sign": "<",
    "left_square_bracket": "[", "right_square_bracket": "]",
}  # fmt: skip
_FUNCTION = re.compile(r"f\d+\Z")


def key_name(key: str) -> str:
    """A key as people write it: `page up`, `F5`, `?`, `ctrl+/`."""
    *modifiers, base = key.split("+")
    shown = _SHOWN.get(base, base)
    if _FUNCTION.match(base):
        shown = base.upper()
    elif shown == base and len(base) > 1:
        with contextlib.suppress(KeyError):
            sign = unicodedata.lookup(base.replace("_", " "))
            shown = sign if sign.isprintable() and not sign.isspace() else base
    return "+".join([*modifiers, shown])
