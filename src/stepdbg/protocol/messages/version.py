"""The version of all messages together. Both sides say theirs in the hello and refuse another one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from zlib import crc32

from stepdbg.protocol.messages.base import Message, Part

_MEANINGS = 10
"""Moves by hand when a message changes its meaning and not its shape."""


def _below(base: type[Any]) -> Iterator[type[Any]]:
    for kind in base.__subclasses__():
        yield kind
        yield from _below(kind)


def shapes() -> str:
    """What each message is called and made of, as it is written."""
    kinds = {kind.__name__: vars(kind).get("__annotations__", {}) for base in (Message, Part) for kind in _below(base)}
    return repr(sorted((name, list(fields.items())) for name, fields in kinds.items()))


PROTOCOL_VERSION = crc32(f"{_MEANINGS} {shapes()}".encode())
"""Another number as soon as a message is made of something else, or one comes that the other side would not know."""
