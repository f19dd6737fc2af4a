"""The target as our own child, with our stdin, stdout and stderr, in a session with no screen.

What `run --headless` and `trace` share: signals are passed on, and the target's end is reported to the hub and becomes
our own.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

from stepdbg.commands.printing import say
from stepdbg.commands.target import Target
from stepdbg.errors import ProtocolError, UsageError
from stepdbg.hub.launch import Launch, start_hub, target_variables
from stepdbg.hub.process.peers import is_ours
from stepdbg.protocol import frames
from stepdbg.protocol.breakpoint_text import describe, noted_words
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    ClientHello,
    FromClient,
    Noted,
    Notice,
    SessionChanged,
    SessionState,
    TargetExited,
    ToClient,
    Welcome,
)
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET

_GREETING_SECONDS = 20.0
_PARTING_SECONDS = 3.0
_FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)


def run_target(
    target: Target,
    launch: Launch,
    hear: Callable[[ToClient], None] = lambda _: None,
    on_quit: Callable[[HubLine], None] | None = None,
    on_start: Callable[[int], None] = lambda _: None,
    output: int | None = None,
) -> int:
    """Run the target to its end.

    Args:
        target: what runs.
        launch: the session that it runs in.
        hear: gets all that the hub says, in a thread of its own.
        on_quit: is called at SIGQUIT, which the target then ignores.
        on_start: is told the target's process id.
        output: the descriptor that the target's stdout goes to; None for ours.

    Returns:
        The target's exit status; negative for a signal.

    Raises:
        UsageError: the target cannot run, or there is no place for the session.
    """
    hub = HubLine(start_hub(launch), hear)
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
    if on_quit is not None:
        signal.signal(signal.SIGQUIT, signal.SIG_IGN)  # which all that the target starts inherits
    try:
        # close_fds=False: what the shell has opened for the target beyond 0, 1 and 2 is the target's
        child = subprocess.Popen(
            target.argv,
            env={**os.environ, **target_variables(hub.folder, dict(os.environ))},
            stdout=output,
            close_fds=False,
        )
    except OSError as error:
        hub.say_farewell(None)
        raise UsageError(f"cannot run {target.argv[0]}: {error.strerror}") from error
    on_start(child.pid)
    if on_quit is not None:
        signal.signal(signal.SIGQUIT, lambda *_: on_quit(hub))
    status = until_ended(child)
    hub.say_farewell(status)
    return status


def until_ended(child: subprocess.Popen[bytes]) -> int:
    """Wait for the end of a process while signals are handled as they come.

    A handler of Python's runs in the main thread. A signal that another thread has been given, as the second of two may
    be, does not wake the main thread out of `waitpid`: SIGUSR1 right after SIGINT was held back in 56 of 20,000 cases,
    until the next signal or for good. It does write to the descriptor that is waited at here.

    Returns:
        The exit status; negative for a signal.
    """
    heard, wake = socket.socketpair()
    wake.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    before = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
    try:
        while (status := child.poll()) is None:
            heard.recv(4096)
        return status
    finally:
        signal.set_wakeup_fd(before)
        heard.close()
        wake.close()


def end_likewise(status: int) -> int:
    """The exit status to end with; where a signal ended the target, the same signal ends this process."""
    if status < 0:
        _die_likewise(-status)
    return status


def _die_likewise(number: int) -> None:
    """End by the signal that ended the target, as our parent would have seen it; leave no second core."""
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    if number not in (signal.SIGKILL, signal.SIGSTOP):
        signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


class HubLine:
    """The launcher's word with its hub: blocking, with a thread that listens. A hub that dies is no matter."""

    def __init__(self, folder: Path, hear: Callable[[ToClient], None]) -> None:
        self.folder = folder
        self.session: SessionState
        """As it was told last."""
        self._tell = hear
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.settimeout(_GREETING_SECONDS)
        self._splitter = frames.Splitter("ToClient")
        self._sending = threading.Lock()
        self._mentioned: set[tuple[int, int]] = set()
        """Rank and boundary of each stop that the user was told of."""
        self._problems: set[tuple[int, str]] = set()
        """Number and problem of each breakpoint that the user was told of."""
        self._heard = 0
        self._telling = False
        self._told = threading.Event()
        """Set when the hub has told how the target ended, and so everything before that."""
        try:
            self._socket.connect(str(folder / CLIENT_SOCKET))
            if not is_ours(self._socket):
                raise UsageError(f"the hub of {folder.name} runs under another user; it is not trusted")
            self.send(ClientHello(PROTOCOL_VERSION, "launcher"))
            first = self._hear()
        except OSError as error:
            raise UsageError(f"the hub of the session does not start; see {folder / 'hub.log'}") from error
        if not first or not isinstance(first[0], Welcome):
            raise UsageError(f"the hub of the session does not start; see {folder / 'hub.log'}")
        self.session = first[0].session
        self._socket.settimeout(None)
        self._listener = threading.Thread(target=self._listen, name="hub", daemon=True)
        self._listener.start()

    def send(self, message: FromClient) -> None:
        """Say something to the hub.

        Raises:
            OSError: it has gone.
        """
        with self._sending:
            self._socket.sendall(frames.encode(message))

    def say_farewell(self, status: int | None) -> None:
        """Tell how the target ended (None: it never began), and hear all that it has left to tell.

        The hub may clear up before we go, unless a screen that is attached holds it.
        """
        try:
            if status is not None:
                self.send(TargetExited(status))
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        heard = -1
        while not self._told.wait(_PARTING_SECONDS):
            if not self._telling and heard == self._heard:
                return  # a hub that hangs
            heard = self._heard
        if not self.session.clients:
            self._listener.join(_PARTING_SECONDS)

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
                self._telling = True
                for message in messages:
                    self._tell(message)
                    if isinstance(message, Notice):
                        say(message.text)
                    elif isinstance(message, Noted):
                        say(noted_words(message, several=len(self.session.ranks) > 1))
                    elif isinstance(message, SessionChanged):
                        self.session = message.session
                        self._mention_problems(message.session)
                        self._mention_stop(message.session)
                        if message.session.exit_status is not None:
                            self._told.set()
                self._telling = False
                self._heard += 1
        except (OSError, ProtocolError):
            pass
        finally:
            self._told.set()

    def _mention_problems(self, session: SessionState) -> None:
        """Say what is wrong with a breakpoint, or to be known of it, once, where no screen shows it."""
        for one in session.breakpoints:
            for words in (one.problem, one.remark):
                if words and (one.number, words) not in self._problems and not session.clients:
                    self._problems.add((one.number, words))
                    say(f"breakpoint {one.number} ({describe(one)}): {words}")

    def _mention_stop(self, session: SessionState) -> None:
        for rank in session.ranks:
            if rank.state != "paused" or rank.stop is None or session.clients:
                continue
            boundary = rank.stop.boundary
            if (rank.rank, boundary.index) in self._mentioned:
                continue
            self._mentioned.add((rank.rank, boundary.index))
            where = f"before {boundary.next}" if boundary.next else f"after {boundary.done}"
            if rank.stop.inner is not None:
                where = f"inside {boundary.inside[-1]}" if boundary.inside else "at stepdbg.breakpoint()"
                if rank.stop.inner.name and rank.stop.inner.unit == "line":
                    where = f"at {rank.stop.inner.name}" + (f", {where}" if boundary.inside else "")
            update = boundary.opens or boundary.update
            who = f"rank {rank.rank} " if len(session.ranks) > 1 else ""
            detail = rank.stop.detail
            plain = [f"breakpoint {one.number}: {describe(one)}" for one in session.breakpoints]
            more = rank.stop.reason == "breakpoint" and any(detail.startswith((f"{one},", f"{one}:")) for one in plain)
            found = _found(session, rank.rank, boundary.index)
            why = f": {detail}" if more or rank.stop.reason == "nan" else found
            say(f"{who}stopped {where} (update {update}){why}; look at it with `stepdbg attach {self.folder.name}`")


def _found(session: SessionState, rank: int, boundary: int) -> str:
    """What the rules have found where a rank has stopped; empty where they have found nothing."""
    found = [one for one in session.findings if (one.rank, one.boundary) == (rank, boundary) and one.severity != "info"]
    told = [f"{one.rule} ({os.path.basename(one.file)}:{one.line}): {one.message}" for one in found]
    return f": {'; '.join(told)}" if told else ""
