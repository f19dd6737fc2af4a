"""Who is at the other end of a Unix socket, as far as the system tells."""

from __future__ import annotations

import os
import socket
import struct


def credentials(connected: socket.socket) -> tuple[int, int] | None:
    """Process id and user id of the peer; None where the system does not tell."""
    option = getattr(socket, "SO_PEERCRED", None)
    if option is None:
        return None
    pid, uid, _gid = struct.unpack("3i", connected.getsockopt(socket.SOL_SOCKET, option, struct.calcsize("3i")))
    return pid, uid


def is_ours(connected: socket.socket) -> bool:
    """Whether the peer runs under our user. Without peer credentials the mode of the folder has to do."""
    found = credentials(connected)
    return found is None or found[1] == os.getuid()
