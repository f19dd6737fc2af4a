"""The training process's end of its socket to the hub: blocking, framed, and gone for good at the first failure."""

from __future__ import annotations

import select
import socket
from collections import deque
from typing import Any

from stepdbg.errors import ProtocolError
from stepdbg.protocol import frames
from stepdbg.protocol.messages import Message


class HubLost(Exception):
    """The hub is gone, or spoke nonsense: training goes on undebugged."""


class Link:
    """Sends and receives whole messages."""

    def __init__(self, connected: socket.socket) -> None:
        self._socket = connected
        self._splitter = frames.Splitter("ToRank")
        self._waiting: deque[Any] = deque()

    def send(self, message: Message) -> None:
        """Hand a message to the kernel.

        Raises:
            HubLost: nobody is there to take it.
        """
        try:
            self._socket.sendall(frames.encode(message))
        except (OSError, ProtocolError) as error:
            raise HubLost(str(error)) from error

    def receive(self) -> Any:
        """The next message, waited for.

        Raises:
            HubLost: there will be none.
        """
        while not self._waiting:
            self._read()
        return self._waiting.popleft()

    def pending(self) -> list[Any]:
        """What has arrived so far, without waiting.

        Raises:
            HubLost: the connection has ended.
        """
        while select.select([self._socket], [], [], 0)[0]:
            self._read()
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def _read(self) -> None:
        try:
            data = self._socket.recv(1 << 16)
            if not data:
                raise HubLost("the hub closed the connection")
            self._waiting.extend(self._splitter.feed(data))
        except (OSError, ProtocolError) as error:
            raise HubLost(str(error)) from error

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()
