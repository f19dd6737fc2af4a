"""The fake debuggee's connection to the hub: blocking, as the tracer's is."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

from stepdbg.protocol import frames
from stepdbg.protocol.messages import Disarm, FromRank, ToRank
from stepdbg.protocol.runtime_folder import RANK_SOCKET


class Line:
    """Lines of JSON and frames to the hub, frames from it. A hub that is gone is no error: `broken` says so."""

    def __init__(self) -> None:
        self.broken = False
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._splitter = frames.Splitter("ToRank")
        self._inbox: list[ToRank] = []

    def connect(self, folder: Path) -> None:
        """Connect to the hub of that session.

        Raises:
            OSError: there is none.
        """
        self._socket.connect(str(folder / RANK_SOCKET))

    def say(self, line: dict[str, object]) -> None:
        """A line of JSON."""
        self._write(json.dumps(line).encode() + b"\n")

    def send(self, message: FromRank) -> None:
        """A frame."""
        self._write(frames.encode(message))

    def receive(self) -> ToRank:
        """The next message, waited for; `Disarm` where the hub is gone, since training then goes on by itself."""
        while not self._inbox:
            try:
                data = self._socket.recv(1 << 16)
            except OSError:
                data = b""
            if not data:
                return Disarm()
            self._inbox += self._splitter.feed(data)
        return self._inbox.pop(0)

    def pending(self) -> list[ToRank]:
        """The messages that are there, without waiting."""
        self._socket.setblocking(False)
        try:
            while data := self._socket.recv(1 << 16):
                self._inbox += self._splitter.feed(data)
        except BlockingIOError:
            pass
        except OSError:
            self.broken = True
        finally:
            self._socket.setblocking(True)
        messages, self._inbox = self._inbox, []
        return messages

    def hang_up(self) -> None:
        """End the connection from another thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Let go of the socket."""
        self._socket.close()

    def _write(self, data: bytes) -> None:
        try:
            self._socket.sendall(data)
        except OSError:
            self.broken = True
