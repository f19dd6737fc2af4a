"""The version of all messages together. Both sides say theirs in the hello and refuse another one."""

from __future__ import annotations

import re
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


def version_refused(session: str, version: int) -> str:
    """What a hub says to a client of that version. (Clients of other versions read `version_told` in it.)"""
    return (
        f"the session {session} speaks version {PROTOCOL_VERSION} of the protocol, and this stepdbg {version}; use the "
        f"stepdbg that started it"
    )


def version_told(refusal: str) -> int | None:
    """The version of the hub that has refused a client so; None where the text is of something else."""
    match = re.search(r"speaks version (\d+) of the protocol", refusal)
    return int(match[1]) if match else None
