"""A hub to test against, in this process or as the real one, and a screen that remembers what it was told."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import msgspec
from harness.deadline import deadline

from stepdbg.hub.client import HubConnection, Role
from stepdbg.hub.launch import LAUNCH, Launch, start_hub
from stepdbg.hub.process.server import Hub
from stepdbg.protocol.messages import Leave, LossPoints, Notice, Output, SessionChanged, SessionState, ToClient
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET, RUNTIME_VARIABLE, new_session
from stepdbg.testing import vanish_all

DEADLINE = 15.0


@contextlib.contextmanager
def runtime() -> Iterator[Path]:
    """A runtime folder of one's own, with a path short enough for sockets."""
    folder = Path(tempfile.mkdtemp(prefix="sd-", dir="/tmp"))
    before = os.environ.get(RUNTIME_VARIABLE)
    os.environ[RUNTIME_VARIABLE] = str(folder)
    try:
        yield folder
    finally:
        if before is None:
            del os.environ[RUNTIME_VARIABLE]
        else:
            os.environ[RUNTIME_VARIABLE] = before
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.asynccontextmanager
async def hub_here(**how: object) -> AsyncIterator[Hub]:
    """A hub in this process, without a terminal: fake debuggees connect to its folder."""
    with runtime():
        folder = new_session("textbook.py")
        launch = Launch(("textbook",), "textbook.py", "/", terminal=False, **how)  # type: ignore[arg-type]
        (folder / LAUNCH).write_bytes(msgspec.json.encode(launch))
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / CLIENT_SOCKET))
        listener.listen()  # a client may knock before the hub has looked at it
        hub = Hub(folder, listener)
        serving = asyncio.create_task(hub.serve())
        launcher = await Screen.open(folder, "launcher")  # as long as it is there, the hub does not end
        try:
            yield hub
        finally:
            await launcher.connection.close()
            hub.end()
            await serving
            await asyncio.to_thread(vanish_all)


@contextlib.asynccontextmanager
async def real_hub(*argv: str, **how: object) -> AsyncIterator[Path]:
    """A hub in a process of its own, that runs `python argv` on a terminal; stopped at the end."""
    async with hub_that_runs(sys.executable, *argv, **how) as folder:
        yield folder


@contextlib.asynccontextmanager
async def hub_that_runs(*argv: str, **how: object) -> AsyncIterator[Path]:
    """The same for any command."""
    with runtime():
        folder = start_hub(Launch(argv, "target.py", os.getcwd(), **how))  # type: ignore[arg-type]
        try:
            yield folder
        finally:
            with contextlib.suppress(Exception):
                last = await Screen.open(folder, "command")
                last.connection.send(Leave("stop"))
                await last.until_the_hub_has_gone()


class Screen:
    """A client that keeps the last state and all else that it was told."""

    def __init__(self, connection: HubConnection) -> None:
        self.connection = connection
        self.session: SessionState = connection.welcome.session
        self.heard: list[ToClient] = []
        self._messages = aiter(connection)

    @classmethod
    async def open(cls, folder: Path, role: Role = "screen") -> Screen:
        return cls(await HubConnection.open(folder, role))

    async def until(self, holds: Callable[[Screen], object], seconds: float = DEADLINE) -> SessionState:
        """Listen until `holds`; fails at the deadline with the last state."""
        try:
            async with asyncio.timeout(deadline(seconds)):
                while not holds(self):
                    message = await anext(self._messages)
                    self.heard.append(message)
                    if isinstance(message, SessionChanged):
                        self.session = message.session
        except (TimeoutError, StopAsyncIteration) as error:
            raise AssertionError(f"never held; the session is {self.session}, heard {self.heard[-5:]}") from error
        return self.session

    async def until_state(self, state: str) -> SessionState:
        return await self.until(lambda screen: screen.session.state == state)

    async def until_next(self, phase: str | None) -> SessionState:
        """Until training waits before `phase`."""
        return await self.until(lambda screen: screen.session.state == "paused" and screen.stop.boundary.next == phase)

    async def until_the_hub_has_gone(self) -> None:
        async with asyncio.timeout(deadline(DEADLINE)):
            async for message in self._messages:
                self.heard.append(message)

    @property
    def stop(self):  # type: ignore[no-untyped-def]
        return self.session.ranks[0].stop

    @property
    def notices(self) -> list[str]:
        return [message.text for message in self.heard if isinstance(message, Notice)]

    @property
    def output(self) -> bytes:
        return b"".join(message.data for message in self.heard if isinstance(message, Output))

    @property
    def losses(self) -> list[tuple[int, float]]:
        return [
            (point.update, point.value)
            for message in self.heard
            if isinstance(message, LossPoints)
            for point in message.points
        ]
