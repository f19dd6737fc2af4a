"""`stepdbg stop`: end a session and its training."""

from __future__ import annotations

import asyncio
from pathlib import Path

from stepdbg.commands.attach import named_session
from stepdbg.commands.printing import say
from stepdbg.errors import SessionError
from stepdbg.hub.client import HubConnection
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
    connection = await HubConnection.open(folder, "command")
    try:
        connection.send(Leave("stop"))
        async with asyncio.timeout(_SECONDS):
            async for _ in connection:
                pass
    except TimeoutError as error:
        raise SessionError(f"the session {folder.name} does not end; see {folder / 'hub.log'}") from error
    finally:
        await connection.close()
