"""A client's connection to a hub: what the screen and the headless commands talk through."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

from stepdbg.errors import OtherVersion, ProtocolError, SessionError
from stepdbg.hub.process.peers import is_ours
from stepdbg.protocol import frames
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    Answer,
    Ask,
    ClientHello,
    FromClient,
    Leave,
    Notice,
    Query,
    Result,
    ToClient,
    Welcome,
    version_told,
)
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET, check_trusted

Role = Literal["screen", "command", "launcher"]
GREETING_SECONDS = 10.0
"""A hub that has not said its welcome by then is taken for hung."""


class HubConnection:
    """Messages of the hub by iteration, questions by `ask`. Made by `open`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, welcome: Welcome) -> None:
        self.welcome = welcome
        """The session as it was on arrival."""
        self._reader, self._writer = reader, writer
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Result]] = {}
        self._messages: asyncio.Queue[ToClient | None] = asyncio.Queue()
        self._lost = False
        self._reading = asyncio.create_task(self._read())

    @classmethod
    async def open(cls, folder: Path, role: Role = "screen") -> HubConnection:
        """Connect to the hub of the session in `folder`.

        Raises:
            OtherVersion: the hub there is of another version.
            SessionError: no hub answers there, or one of another user.
        """
        reader, writer = await _connected(folder)
        other = (
            f"the session {folder.name} is of another version of stepdbg, which alone can show it; "
            f"`stepdbg stop {folder.name}` ends it"
        )
        try:
            writer.write(frames.encode(ClientHello(PROTOCOL_VERSION, role)))
            message = await asyncio.wait_for(_receive(reader), GREETING_SECONDS)
        except (OSError, asyncio.IncompleteReadError, TimeoutError) as error:
            writer.close()
            raise SessionError(f"the hub of {folder.name} does not answer; see {folder / 'hub.log'}") from error
        except ProtocolError as error:
            writer.close()
            raise OtherVersion(other, None) from error
        if isinstance(message, Notice):
            writer.close()
            if (version := version_told(message.text)) is not None:
                raise OtherVersion(other, version)
            raise SessionError(message.text)
        if not isinstance(message, Welcome) or message.version != PROTOCOL_VERSION:
            writer.close()
            raise OtherVersion(other, message.version if isinstance(message, Welcome) else None)
        return cls(reader, writer, message)

    def __aiter__(self) -> AsyncIterator[ToClient]:
        return self._iterate()

    async def _iterate(self) -> AsyncIterator[ToClient]:
        """All that the hub says, except answers to questions of one's own; ends when the hub has gone."""
        while (message := await self._messages.get()) is not None:
            yield message
        self._messages.put_nowait(None)

    def send(self, message: FromClient) -> None:
        """Say something to the hub; returns at once.

        Raises:
            SessionError: the hub has gone.
        """
        if self._lost:
            raise SessionError("the hub has gone")
        self._writer.write(frames.encode(message))

    async def ask(self, query: Query, rank: int = 0) -> Result:
        """The answer to `query`; a refusal is an answer too.

        Raises:
            SessionError: the hub has gone.
        """
        number = next(self._numbers)
        answer: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self.send(Ask(number, query, rank))
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        """Hang up, after what was sent has gone out."""
        self._lost = True
        with contextlib.suppress(OSError):
            if self._writer.can_write_eof():
                self._writer.write_eof()
            self._writer.close()
            await self._writer.wait_closed()
        self._reading.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._reading

    async def _read(self) -> None:
        try:
            while True:
                message = await _receive(self._reader)
                if not isinstance(message, Answer):
                    self._messages.put_nowait(message)
                elif (waiting := self._waiting.get(message.number)) is not None and not waiting.done():
                    waiting.set_result(message.result)
        except (OSError, asyncio.IncompleteReadError, ProtocolError):
            pass
        finally:
            self._lost = True
            self._messages.put_nowait(None)
            for waiting in self._waiting.values():
                if not waiting.done():
                    waiting.set_exception(SessionError("the hub has gone"))


async def _connected(folder: Path) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A connection to the hub of the session in `folder`, on which nothing has been said yet.

    Raises:
        SessionError: no hub listens there, or one of another user.
    """
    check_trusted(folder)
    try:
        reader, writer = await asyncio.open_unix_connection(str(folder / CLIENT_SOCKET))
    except OSError as error:
        raise SessionError(f"the session {folder.name} has ended; `stepdbg ls` lists those there are") from error
    if not is_ours(writer.get_extra_info("socket")):
        writer.close()
        raise SessionError(f"the hub of {folder.name} runs under another user; it is not trusted")
    return reader, writer


async def stop_other_version(folder: Path, version: int) -> None:
    """End a session whose hub is of another version, and return when the hub has hung up.

    A client's hello and its `Leave` have been the same in all versions; what such a hub says is not read.

    Args:
        folder: The session's.
        version: What the hub has said that it speaks.

    Raises:
        SessionError: no hub listens there, or one of another user.
    """
    reader, writer = await _connected(folder)
    try:
        writer.write(frames.encode(ClientHello(version, "command")) + frames.encode(Leave("stop")))
        while await reader.read(1 << 16):
            pass
    except OSError:
        pass
    finally:
        writer.close()


async def _receive(reader: asyncio.StreamReader) -> ToClient:
    length = frames.body_length(await reader.readexactly(4))
    message: ToClient = frames.decode("ToClient", await reader.readexactly(length))
    return message
