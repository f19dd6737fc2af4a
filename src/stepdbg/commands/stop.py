"""`stepdbg stop`: end a session and its training."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

from stepdbg.errors import SessionError
from stepdbg.hub.client import HubConnection
from stepdbg.protocol.messages import Leave
from stepdbg.protocol.places import session_folder

_SECONDS = 8.0
"""The hub kills what does not end within three."""


def stop_session(name: str) -> int:
    """End it, and return when it has ended.

    Raises:
        SessionError: there is no such session, or it does not end.
    """
    folder = session_folder(name)
    asyncio.run(_stop(folder))
    print(f"stepdbg: {name} has ended", file=sys.stderr)
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
