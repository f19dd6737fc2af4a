"""The hub's end of its sockets: frames and lines in, frames out, and an end to any peer that talks nonsense."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
from collections.abc import Iterator
from typing import Any

from stepdbg.errors import ProtocolError
from stepdbg.hub.process import peers
from stepdbg.protocol import frames
from stepdbg.protocol.messages import Message, Progress

MOST_UNREAD = 64 * 1024 * 1024
"""Bytes that may wait for a peer which does not read; beyond it the connection ends."""
BUSY_UNREAD = 256 * 1024
"""Bytes unread above which a client gets no more progress: the newest snapshot wins."""
MOST_UNHEARD = 4 * 1024 * 1024
"""Bytes that may wait for a rank, which does not read while a phase runs; a client that sends more is a flood."""
_LONGEST_LINE = 1024 * 1024
_log = logging.getLogger("stepdbg.hub")


class Link:
    """Frames to one peer."""

    most_unread: float = MOST_UNREAD
    """Bytes that may wait for it; beyond them the connection ends."""

    def __init__(self, writer: asyncio.StreamWriter, name: str) -> None:
        self.name = name
        self.pid = peer_pid(writer)
        """The peer's process id; 0 where the system does not tell."""
        self._writer = writer

    def send(self, message: Message) -> None:
        """Queue a message; one that the peer is too slow for is dropped if the next one replaces it."""
        if self._writer.is_closing():
            return
        unread = self._writer.transport.get_write_buffer_size()
        if isinstance(message, Progress) and unread > BUSY_UNREAD:
            return
        if unread > self.most_unread:
            self.cut("does not read what it is sent")
            return
        try:
            self._writer.write(frames.encode(message))
        except ProtocolError as error:
            _log.warning("not sent to %s: %s", self.name, error)

    @property
    def unread(self) -> int:
        """Bytes that wait for it to read."""
        return self._writer.transport.get_write_buffer_size()

    def cut(self, why: str) -> None:
        """End the connection at once, whatever waits."""
        _log.warning("%s %s: connection ended", self.name, why)
        self._writer.transport.abort()

    async def drain(self) -> None:
        """Wait until the peer has taken all that was sent, or has gone."""
        self._writer.transport.set_write_buffer_limits(0)
        with contextlib.suppress(OSError):
            await self._writer.drain()

    def close(self) -> None:
        """Hang up once everything has been sent."""
        self._writer.close()


class ClientLink(Link):
    """A client that has said hello, or has some seconds to say it."""

    role = "screen"


class ProcessLink(Link):
    """A process of the target. It is never cut off for what a client has made wait for it."""

    most_unread = math.inf


class ProcessDecoder:
    """Cuts what a training process sends into lines of JSON and frames, whichever comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[dict[str, Any] | Any]:
        """The lines (as dicts) and messages of `FromRank` that `data` completes.

        Raises:
            ProtocolError: it is neither.
        """
        buffer = self._buffer
        buffer += data
        while buffer:
            if buffer[0] == ord("{"):
                end = buffer.find(b"\n")
                if end < 0:
                    if len(buffer) > _LONGEST_LINE:
                        raise ProtocolError(f"a line of over {_LONGEST_LINE:,} bytes")
                    return
                line = bytes(buffer[:end])
                del buffer[: end + 1]
                yield _json(line)
                continue
            if len(buffer) < 4:
                if buffer[0] >= 4:
                    raise ProtocolError("neither a line of JSON nor a frame")
                return
            length = frames.body_length(buffer[:4])
            if len(buffer) < 4 + length:
                return
            body = bytes(buffer[4 : 4 + length])
            del buffer[: 4 + length]
            yield decoded("FromRank", body)


def decoded(direction: str, body: bytes) -> Any:
    """The message in a frame's body.

    Raises:
        ProtocolError: it is none, however deep its nesting.
    """
    try:
        return frames.decode(direction, body)
    except (RecursionError, ValueError, OverflowError) as error:
        raise ProtocolError(f"a malformed frame: {error}") from error


def _json(line: bytes) -> dict[str, Any]:
    try:
        word = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(f"a malformed line: {error}") from error
    if not isinstance(word, dict):
        raise ProtocolError("a line that is no JSON object")
    return word


def is_ours(writer: asyncio.StreamWriter) -> bool:
    """Whether the peer runs under our user."""
    return peers.is_ours(writer.get_extra_info("socket"))


def peer_pid(writer: asyncio.StreamWriter) -> int:
    """The peer's process id; 0 where the system does not tell."""
    credentials = peers.credentials(writer.get_extra_info("socket"))
    return 0 if credentials is None else credentials[0]
