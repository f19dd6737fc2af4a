"""A session's file: the small one from which `stepdbg ls` tells what a session is without asking its hub."""

from __future__ import annotations

import os
import shutil
import socket
import time
from pathlib import Path

import msgspec

from stepdbg.hub.process.peers import is_ours
from stepdbg.protocol.frames import as_utf8
from stepdbg.protocol.messages import State
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET, SESSION_FILE, runtime_folder, sessions

_YOUNG = 10.0
"""Seconds within which a folder without a hub is one that is just being set up."""


class SessionFile(msgspec.Struct, frozen=True):
    """What a session is, in short."""

    name: str
    target: str
    cwd: str
    hub: int
    """The process id of the hub."""
    started: float
    """Seconds since the epoch."""
    state: State
    terminal: bool = True


def write_session_file(folder: Path, session: SessionFile) -> None:
    """Replace the session's file in one go, so that no reader sees half of it."""
    draft = folder / f"{SESSION_FILE}.new"
    draft.write_bytes(msgspec.json.encode(as_utf8(msgspec.to_builtins(session))))
    os.replace(draft, folder / SESSION_FILE)


def read_session_file(folder: Path) -> SessionFile | None:
    """The session of a folder, or None where there is none that can be read."""
    try:
        return msgspec.json.decode((folder / SESSION_FILE).read_bytes(), type=SessionFile)
    except (OSError, msgspec.MsgspecError):
        return None


def hub_listens(folder: Path) -> bool:
    """Whether somebody listens for clients there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(folder / CLIENT_SOCKET))
            return is_ours(probe)
        except TimeoutError:
            return True
        except OSError:
            return False


def living_sessions() -> list[SessionFile]:
    """The sessions that have a hub, oldest first. What dead hubs have left behind is swept away."""
    found = []
    for name in sessions():
        folder = runtime_folder() / name
        session = read_session_file(folder)
        if session is not None and hub_listens(folder):
            found.append(session)
        elif not hub_listens(folder) and _age(folder) > _YOUNG:
            shutil.rmtree(folder, ignore_errors=True)
    return sorted(found, key=lambda session: session.started)


def _age(folder: Path) -> float:
    try:
        return time.time() - folder.stat().st_mtime
    except OSError:
        return 0.0
