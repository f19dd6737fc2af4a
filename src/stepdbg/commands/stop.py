"""`stepdbg stop`: end a session and its training."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from pathlib import Path

from stepdbg.commands.attach import named_session
from stepdbg.commands.printing import say
from stepdbg.errors import OtherVersion, SessionError
from stepdbg.hub.client import HubConnection, stop_other_version
from stepdbg.hub.process.session_file import hub_listens, read_session_file
from stepdbg.protocol.messages import Leave

_SECONDS = 8.0
"""The hub kills what does not end within three."""


def stop_session(name: str) -> int:
    """End it, and return when it has ended.

    Raises:
        SessionError: there is no such session, or it does not end.
    """
    folder = named_session(name)
    asyncio.run(_stop(folder))
    say(f"{folder.name} has ended")
    return 0


async def _stop(folder: Path) -> None:
    try:
        connection = await HubConnection.open(folder, "command")
    except OtherVersion as other:
        await _in_time(folder, _stop_other(folder, other))
        return
    try:
        connection.send(Leave("stop"))
        await _in_time(folder, _until_it_hangs_up(connection))
    finally:
        await connection.close()


async def _in_time(folder: Path, ending: Awaitable[None]) -> None:
    """Wait for the end of a session.

    Raises:
        SessionError: it does not come.
    """
    try:
        async with asyncio.timeout(_SECONDS):
            await ending
    except TimeoutError as error:
        raise SessionError(f"the session {folder.name} does not end; see {folder / 'hub.log'}") from error


async def _until_it_hangs_up(connection: HubConnection) -> None:
    async for _ in connection:
        pass


async def _stop_other(folder: Path, other: OtherVersion) -> None:
    """End a session of another version of stepdbg, in the words of that.

    Raises:
        SessionError: that version has others.
    """
    if other.version is not None:
        await stop_other_version(folder, other.version)
    if hub_listens(folder):
        session = read_session_file(folder)
        hub = f" (its hub is process {session.hub})" if session is not None else ""
        raise SessionError(
            f"the session {folder.name} is of another version of stepdbg{hub}, and does not understand this one; use "
            f"the stepdbg that started it"
        )
