"""`stepdbg TARGET` and `stepdbg run --headless TARGET`: make a session and start the target in it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from stepdbg.commands.target import Target, find_target
from stepdbg.errors import ProtocolError, UsageError
from stepdbg.hub.breakpoint_text import parse
from stepdbg.hub.launch import Launch, start_hub, target_variables
from stepdbg.protocol import frames
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    ClientHello,
    FromClient,
    SessionChanged,
    SessionState,
    TargetExited,
    ToClient,
    Welcome,
)
from stepdbg.protocol.places import CLIENT_SOCKET

_GREETING_SECONDS = 20.0
_PARTING_SECONDS = 3.0
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def need_terminal() -> None:
    """Make sure that there is a terminal to draw on.

    Raises:
        UsageError: there is none.
    """
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("stdin and stdout must be a terminal; without one use `stepdbg run --headless TARGET`")
    if os.environ.get("TERM") == "dumb":
        raise UsageError("TERM=dumb cannot show a screen; use another, or `stepdbg run --headless TARGET`")


def start_session(
    words: Sequence[str], *, python: str | None = None, breaks: Sequence[str] = (), readonly: bool = False
) -> Path:
    """Start hub and target; returns the folder of the session, to which a screen may connect at once.

    Raises:
        UsageError: the target cannot run, there is no terminal, or no place for the session.
    """
    breakpoints = tuple(parse(text) for text in breaks)
    target = find_target(words, python)
    need_terminal()
    size = shutil.get_terminal_size()
    return start_hub(
        Launch(
            target.argv,
            target.script,
            os.getcwd(),
            breakpoints,
            readonly=readonly,
            columns=max(20, size.columns),
            rows=max(5, size.lines),
        )
    )


def run_headless(
    words: Sequence[str], *, python: str | None = None, breaks: Sequence[str] = (), readonly: bool = False
) -> int:
    """Run the target freely as our own child, with our stdin, stdout and stderr; a breakpoint met stops it.

    Returns:
        The target's exit status. Where a signal ended it, the same signal ends this process too.

    Raises:
        UsageError: the target cannot run, or there is no place for the session.
    """
    breakpoints = tuple(parse(text) for text in breaks)
    target = find_target(words, python)
    launch = Launch(
        target.argv, target.script, os.getcwd(), breakpoints, go="continue", readonly=readonly, terminal=False
    )
    folder = start_hub(launch)
    hub = _HubLine(folder)
    status = _run_child(target, folder, hub)
    hub.say_farewell(status)
    if status < 0:
        _die_likewise(-status)
    return status


def _run_child(target: Target, folder: Path, hub: _HubLine) -> int:
    child: subprocess.Popen[bytes] | None = None

    def forward(number: int, _frame: object) -> None:
        if child is not None:
            child.send_signal(number)

    for number in _FORWARDED:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as under nohup: it stays so, in the target too
            signal.signal(number, forward)
    for number in (signal.SIGINT, signal.SIGQUIT):  # the terminal sends these to the target as well
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, lambda *_: None)
    try:
        # close_fds=False: what the shell has opened for the target beyond 0, 1 and 2 is the target's
        child = subprocess.Popen(
            target.argv, env={**os.environ, **target_variables(folder, dict(os.environ))}, close_fds=False
        )
    except OSError as error:
        hub.say_farewell(127)
        raise UsageError(f"cannot run {target.argv[0]}: {error.strerror}") from error
    return child.wait()


def _die_likewise(number: int) -> None:
    """End by the signal that ended the target, as our parent would have seen it; leave no second core."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class _HubLine:
    """The launcher's word with its hub: blocking, with a thread that listens. A hub that dies is no matter."""

    def __init__(self, folder: Path) -> None:
        self._name = folder.name
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_GREETING_SECONDS)
        self._splitter = frames.Splitter("ToClient")
        self._told: int | None = None
        self._screens = 0
        try:
            self._socket.connect(str(folder / CLIENT_SOCKET))
            self._say(ClientHello(PROTOCOL_VERSION, "launcher"))
            first = self._hear()
        except OSError as error:
            raise UsageError(f"the hub of the session does not start; see {folder / 'hub.log'}") from error
        if not first or not isinstance(first[0], Welcome):
            raise UsageError(f"the hub of the session does not start; see {folder / 'hub.log'}")
        self._socket.settimeout(None)
        self._listener = threading.Thread(target=self._listen, name="hub", daemon=True)
        self._listener.start()

    def say_farewell(self, status: int) -> None:
        """Tell how the target ended, and let the hub clear up before we go, unless a screen holds it."""
        try:
            self._say(TargetExited(status))
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            return
        if not self._screens:
            self._listener.join(_PARTING_SECONDS)

    def _say(self, message: FromClient) -> None:
        self._socket.sendall(frames.encode(message))

    def _hear(self) -> list[ToClient]:
        """At least one message, or none where the hub has gone."""
        while True:
            data = self._socket.recv(1 << 16)
            if not data:
                return []
            if messages := self._splitter.feed(data):
                return messages

    def _listen(self) -> None:
        try:
            while messages := self._hear():
                for message in messages:
                    if isinstance(message, SessionChanged):
                        self._mention_stop(message.session)
        except (OSError, ProtocolError):
            pass

    def _mention_stop(self, session: SessionState) -> None:
        self._screens = session.clients
        for rank in session.ranks:
            if rank.state != "paused" or rank.stop is None or session.clients or self._told == rank.stop.boundary.index:
                continue
            boundary = rank.stop.boundary
            self._told = boundary.index
            where = f"before {boundary.next}" if boundary.next else f"after {boundary.done}"
            print(
                f"stepdbg: stopped {where} (update {boundary.opens or boundary.update}); "
                f"look at it with `stepdbg attach {self._name}`",
                file=sys.stderr,
                flush=True,
            )
