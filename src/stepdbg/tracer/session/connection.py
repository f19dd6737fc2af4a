"""The training process's end of its socket to the hub: blocking, framed, and gone for good at the first failure."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

from stepdbg.errors import ProtocolError
from stepdbg.protocol import frames
from stepdbg.protocol.messages import Message


class HubLost(Exception):
    """The hub is gone, or spoke nonsense: training goes on undebugged."""


class Connection(Protocol):
    """The socket as `sitecustomize` has made it, which knows at each use whether it is still there."""

    @property
    def connected(self) -> bool: ...

    def connect(self) -> bool: ...

    def wait(self) -> None: ...

    def send(self, data: bytes) -> None: ...

    def receive(self, *, wait: bool) -> bytes: ...

    def say(self, **what: object) -> None: ...

    def say_born(self) -> None: ...

    def close(self) -> None: ...


class Link:
    """Sends and receives whole messages."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._splitter = frames.Splitter("ToRank")
        self._waiting: deque[Any] = deque()

    def anew(self) -> Link:
        """A line over the same socket, as before anything was said."""
        return Link(self._connection)

    def renew(self) -> None:
        """Before anything but lines was said: connect anew, where the script has closed what it does not know.

        Raises:
            HubLost: the hub is not there any more.
        """
        if self._connection.connected:
            return
        if not self._connection.connect():
            raise HubLost("no hub is there")
        self._connection.say_born()

    def say_failed(self, why: str) -> None:
        """Tell the user, in place of a hello, why this process cannot be followed."""
        self._connection.say(failed=why)

    def send(self, message: Message) -> None:
        """Hand a message to the kernel.

        Raises:
            HubLost: nobody is there to take it.
        """
        try:
            self._connection.send(frames.encode(message))
        except (OSError, ProtocolError) as error:
            raise HubLost(str(error)) from error

    def wait(self) -> None:
        """Wait until something has arrived, or never will."""
        if not self._waiting:
            self._connection.wait()

    def receive(self) -> Any:
        """The next message, waited for.

        Raises:
            HubLost: there will be none.
        """
        while not self._waiting:
            self._read(wait=True)
        return self._waiting.popleft()

    def pending(self) -> list[Any]:
        """What has arrived so far, without waiting.

        Raises:
            HubLost: the connection has ended.
        """
        while self._read(wait=False):
            pass
        found = list(self._waiting)
        self._waiting.clear()
        return found

    def _read(self, *, wait: bool) -> bool:
        """Whether anything was there."""
        try:
            data = self._connection.receive(wait=wait)
            if not data:
                raise HubLost("the hub closed the connection")
            self._waiting.extend(self._splitter.feed(data))
        except BlockingIOError:
            return False
        except (OSError, ProtocolError) as error:
            raise HubLost(str(error)) from error
        return True

    def close(self) -> None:
        """Let go of the socket."""
        self._connection.close()
