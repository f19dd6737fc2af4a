"""The attached clients, and how they hear of changes: once and in one piece, of notices even if those come early."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Protocol

from stepdbg.protocol.messages import Noted, Notice, SessionChanged, Severity, ToClient

_UNSEEN = 20
"""Notices that are kept for the next screen."""
_NOTED = 500
"""Messages of breakpoints that are kept for screens to come, the newest."""
_log = logging.getLogger("stepdbg.hub")


class Client(Protocol):
    """An attached client."""

    name: str
    role: str
    pid: int

    def send(self, message: ToClient) -> None: ...


class Clients:
    """The clients of one session.

    Args:
        later: calls a function in so many seconds.
        describe: makes the message that tells the session's state as it is when it is called.
        anybody_runs: whether a rank runs just now.
    """

    def __init__(
        self,
        later: Callable[[float, Callable[[], None]], object],
        describe: Callable[[], SessionChanged],
        anybody_runs: Callable[[], bool],
    ) -> None:
        self._later, self._describe, self._anybody_runs = later, describe, anybody_runs
        self.clients: list[Client] = []
        self._unseen: list[Notice] = []
        self._noted: deque[Noted] = deque(maxlen=_NOTED)
        self._due = self._due_if_running = False

    @property
    def screens(self) -> list[Client]:
        """The attached screens."""
        return [client for client in self.clients if client.role == "screen"]

    def tell_screens(self, message: ToClient) -> None:
        """Send to every screen."""
        for screen in self.screens:
            screen.send(message)

    def tell_launchers(self, message: ToClient) -> None:
        """Send to whoever started a headless target."""
        for client in self.clients:
            if client.role == "launcher":
                client.send(message)

    def notify(self, text: str, severity: Severity = "information", *, screens_only: bool = False) -> None:
        """Tell the user something; kept for the next screen where there is none.

        A launcher writes what is more than information on the target's stderr, unless it is for screens only.
        """
        notice = Notice(text, severity)
        if severity != "information" and not screens_only:
            self.tell_launchers(notice)
        _log.info("%s", text)
        self.tell_screens(notice)
        if not self.screens:
            self._unseen = [*self._unseen, notice][-_UNSEEN:]

    def note(self, message: Noted) -> None:
        """Pass on what a breakpoint notes: to the screens, now and later, and to a launcher's stderr."""
        self._noted.append(message)
        self.tell_screens(message)
        self.tell_launchers(message)

    def catch_up(self, screen: Client) -> None:
        """Give a screen what breakpoints have noted, and the notices that nobody has seen."""
        for message in self._noted:
            screen.send(message)
        for notice in self._unseen:
            screen.send(notice)
        self._unseen.clear()

    def changed(self, seconds: float = 0.0) -> None:
        """Tell the state soon, once for all that changes at the same time.

        Args:
            seconds: where not 0, it is told after so long, and only if something runs then: a process that
                resumes and stops again within that time is never shown as running.
        """
        if not seconds and not self._due:
            self._due = True
            self._later(0, self._flush)
        elif seconds and not self._due_if_running:
            self._due_if_running = True
            self._later(seconds, self._flush_if_running)

    def _flush_if_running(self) -> None:
        self._due_if_running = False
        if self._anybody_runs():
            self.changed()

    def _flush(self) -> None:
        self._due = False
        changed = self._describe()
        for client in self.clients:
            client.send(changed)
