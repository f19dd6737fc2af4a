"""Length-prefixed msgpack frames: four bytes of length (big-endian), then one message.

A frame's first byte is below 0x04, so that it cannot be taken for a line of JSON (`{`), which is what a process says
on the same socket before torch is there.
"""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from stepdbg.errors import ProtocolError
from stepdbg.protocol import messages

MAX_FRAME = 64 * 1024 * 1024 - 1
"""Bytes. A longer frame ends its connection."""

_encoder = msgspec.msgpack.Encoder()


def encode(message: messages.Message) -> bytes:
    """The message as one frame.

    Raises:
        ProtocolError: it is longer than `MAX_FRAME`.
    """
    try:
        body = _encoder.encode(message)
    except UnicodeEncodeError:
        body = _encoder.encode(as_utf8(msgspec.to_builtins(message, builtin_types=(bytes, bytearray, memoryview))))
    if len(body) > MAX_FRAME:
        raise ProtocolError(f"a {type(message).__name__} of {len(body):,} bytes is over the limit of {MAX_FRAME:,}")
    return len(body).to_bytes(4, "big") + body


def as_utf8(value: Any) -> Any:
    """A value with lone surrogates, which are the bytes of a file name that is no UTF-8, written out as escapes."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {as_utf8(key): as_utf8(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_utf8(inner) for inner in value]
    return value


def decode(direction: str, body: bytes | bytearray | memoryview) -> Any:
    """The message in a frame's body, checked against the union of that direction (`FromRank`, …).

    Raises:
        ProtocolError: the bytes are no such message.
    """
    try:
        return _decoder(direction).decode(body)
    except msgspec.MsgspecError as error:
        raise ProtocolError(f"a malformed frame: {error}") from error


@functools.cache
def _decoder(direction: str) -> msgspec.msgpack.Decoder[Any]:
    """The decoder of one direction, made when it is needed: that takes a millisecond, and a process reads one direction
    or two.
    """
    unions = {
        "FromRank": messages.FromRank,
        "ToRank": messages.ToRank,
        "FromClient": messages.FromClient,
        "ToClient": messages.ToClient,
    }
    return msgspec.msgpack.Decoder(unions[direction])


def body_length(header: bytes | bytearray | memoryview) -> int:
    """The length that a frame's four-byte header announces.

    Raises:
        ProtocolError: it is over `MAX_FRAME`.
    """
    length = int.from_bytes(header, "big")
    if length > MAX_FRAME:
        raise ProtocolError(f"a frame of {length:,} bytes is over the limit of {MAX_FRAME:,}")
    return length


class Splitter:
    """Cuts a stream of bytes into frames, however they arrive."""

    def __init__(self, direction: str) -> None:
        self._direction = direction
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """The messages that `data` completes.

        Raises:
            ProtocolError: a frame is malformed or too long.
        """
        buffer = self._buffer
        buffer += data
        found = []
        start = 0
        while len(buffer) - start >= 4:
            length = body_length(buffer[start : start + 4])
            end = start + 4 + length
            if len(buffer) < end:
                break
            found.append(decode(self._direction, bytes(buffer[start + 4 : end])))
            start = end
        if start:
            del buffer[:start]
        return found
