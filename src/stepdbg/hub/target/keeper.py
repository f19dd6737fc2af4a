"""The keeper: a small process that owns the debuggee's terminal and reaps it; it never does anything clever.

It outlives the hub. Were the pty the hub's, a killed hub would hang up or fail the training in mid-print; were the
debuggee the session's leader, its death would hang up everybody else on its terminal. So the keeper holds the pty,
copies what the debuggee writes into a log, and adopts its orphans; and a process that only sleeps leads the session and
holds the pty as well (`leader.py`), for the keeper's own death not to be the debuggee's.

Run by the hub as `python -I -S keeper.py DESCRIPTOR`, where the descriptor is one end of a Unix socket; standard
library only.

Lines of JSON go both ways. First comes `{"run": {"argv", "cwd", "variables", "log", "columns", "rows"}}`, then
`{"input": base64}`, `{"size": [columns, rows]}`, `{"signal": number}` (to the debuggee's process group). Back go
`{"started": pid}` or `{"cannot": why}`, `{"wrote": bytes so far}`, where the log cannot be written
`{"output": base64, "problem": why}`, and at last `{"exit": status}`, where a negative status is a signal. The loss of
the socket is harmless: the debuggee goes on, and its output is still drained into the log.
"""

from __future__ import annotations

import base64
import contextlib
import errno
import fcntl
import json
import os
import runpy
import select
import signal
import socket
import struct
import sys
import termios
import time
from typing import Any

LOG_LIMIT = 4 * 1024 * 1024
"""Bytes after which the log is set aside as `output.log.1`, so that days of progress bars do not fill a disk."""
LEADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "leader.py")
"""The program of the session's leader."""
DRAIN_SECONDS = 2.0
"""The time for which output is read after the exit, where somebody keeps writing."""
MOST_WAITING = 4 * 1024 * 1024
"""Bytes of input that may wait for a script which does not read, and of output for a hub; what is beyond is lost."""
_PR_SET_CHILD_SUBREAPER = 36
_CHUNK = 65536


class Log:
    """The output on disk, rotated. A full disk never holds up the training: from then on nothing more is written."""

    def __init__(self, path: str, limit: int = LOG_LIMIT) -> None:
        self._path, self._limit = path, limit
        self.problem = ""
        """Why it cannot be written any more."""
        self._file = -1
        try:
            self._file = self._open()
        except OSError as error:
            self.problem = os.strerror(error.errno or 0)
        self._size = 0
        self.total = 0

    def write(self, data: bytes) -> bytes:
        """Append; what could not be written, now or since it could not be the first time."""
        if self.problem:
            return data
        if self._size + len(data) > self._limit:
            self._rotate()
        try:
            while data:
                written = os.write(self._file, data)
                self._size += written
                self.total += written
                data = data[written:]
        except OSError as error:
            self.problem = os.strerror(error.errno or 0)
        return data

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def _rotate(self) -> None:
        try:
            os.replace(self._path, self._path + ".1")
            fresh = self._open()
        except OSError:  # the session's folder is gone: the old file has no name any more, and is emptied instead
            with contextlib.suppress(OSError):
                os.ftruncate(self._file, 0)
        else:
            os.close(self._file)
            self._file = fresh
        self._size = 0


class Keeper:
    """A debuggee on a pty."""

    def __init__(self, control: socket.socket, run: dict[str, Any], pending: bytes, *, adopts: bool) -> None:
        self._control: socket.socket | None = control
        self._commands = bytearray(pending)
        self._to_hub = bytearray()
        self._log = Log(run["log"], run.get("limit", LOG_LIMIT))
        self._announced = 0
        self._input = bytearray()
        self._exited = False
        self._wakeup, wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        self._master, self._slave = os.openpty()
        self._resize(run["columns"], run["rows"])
        self._lifeline, theirs = socket.socketpair()
        self._leader = 0
        if adopts:
            self._leader = self._start_leader(theirs)
        self._child = self._start(run) if adopts else self._start_here(run)
        os.set_blocking(self._master, False)

    def keep(self) -> None:
        """Serve until the debuggee has ended and nobody needs the terminal any more."""
        self._obey_what_came()
        while True:
            poll = select.poll()
            poll.register(self._master, select.POLLIN | (select.POLLOUT if self._input else 0))
            poll.register(self._wakeup, select.POLLIN)
            if self._control is not None:
                poll.register(self._control, select.POLLIN | (select.POLLOUT if self._to_hub else 0))
            ready = dict(poll.poll())
            if ready.get(self._wakeup):
                with contextlib.suppress(BlockingIOError):
                    os.read(self._wakeup, _CHUNK)
            if events := ready.get(self._master):
                if events & select.POLLOUT:
                    self._feed()
                self._drain_once()
            if self._control is not None and (events := ready.get(self._control.fileno())):
                self._serve(events)
            lonely = self._reap()
            if self._exited and self._control is None and lonely:
                with contextlib.suppress(OSError):
                    self._lifeline.sendall(b"done")
                return

    # ------------------------------------------------------------ the debuggee

    def _start_leader(self, lifeline: socket.socket) -> int:
        """The process that leads the session; its id."""
        given = [lifeline.fileno(), self._master, self._slave]
        pid = os.fork()
        if pid == 0:
            try:
                for descriptor in given:
                    os.set_inheritable(descriptor, True)
                os.execv(sys.executable, [sys.executable, "-I", "-S", LEADER, *map(str, given)])
            finally:
                os._exit(127)
        lifeline.close()
        return pid

    def _start(self, run: dict[str, Any]) -> int:
        """Have the leader start the target; 0 where that cannot be done, which the hub is told."""
        wanted = {name: run[name] for name in ("argv", "cwd", "variables", "log")}
        try:
            self._lifeline.sendall(json.dumps(wanted).encode() + b"\n")
            word = json.loads(_read_line(self._lifeline)[0])
        except (OSError, ValueError, SystemExit):
            word = {"cannot": f"{run['argv'][0]}: the leader of its session does not start"}
        return self._tell_start(word)

    def _start_here(self, run: dict[str, Any]) -> int:
        """Lead the session and start the target, where a system has no adoption of orphans."""
        lead = runpy.run_path(LEADER)
        with contextlib.suppress(PermissionError):  # already the leader of a session
            os.setsid()
        fcntl.ioctl(self._slave, termios.TIOCSCTTY, 0)
        return self._tell_start(lead["start"](run, self._slave, orphan=False))

    def _tell_start(self, word: dict[str, Any]) -> int:
        if "cannot" in word:
            self._exited = True
            self._say({"cannot": word["cannot"]})
            return 0
        self._say(word)
        pid: int = word["started"]
        return pid

    def _reap(self) -> bool:
        """Collect what has ended; whether there are no children left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return True
            if pid == 0:
                return self._alone_with_leader()
            if os.WIFSTOPPED(status):
                # Nobody could ever bring back what Ctrl+Z has put to sleep: there is no shell with job control here.
                if pid == self._child and os.WSTOPSIG(status) != signal.SIGSTOP:
                    self._signal(signal.SIGCONT)
            elif pid == self._child:
                self._drain_to_end()
                self._exited = True
                self._tell_how_much()
                self._say({"exit": os.waitstatus_to_exitcode(status)})

    def _alone_with_leader(self) -> bool:
        """Whether the session's leader is the only child."""
        if not self._exited or not self._leader:
            return False
        try:
            with open(f"/proc/self/task/{os.getpid()}/children") as file:
                return file.read().split() == [str(self._leader)]
        except OSError:  # a kernel that does not tell: whoever is of the target's group
            try:
                os.killpg(self._child, 0)
            except ProcessLookupError:
                return True
            return False

    def _signal(self, number: int) -> None:
        if self._child:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self._child, number)

    # ------------------------------------------------------------ the pty

    def _drain_once(self) -> bool:
        """Copy what is there into the log; False where there is nothing."""
        try:
            data = os.read(self._master, _CHUNK)
        except BlockingIOError:
            return False
        except OSError as error:
            if error.errno == errno.EIO:
                return False
            raise
        if not data:
            return False
        rest = self._log.write(data)
        self._tell_how_much()
        if rest and len(self._to_hub) < MOST_WAITING:
            self._say({"output": base64.b64encode(rest).decode(), "problem": self._log.problem})
        return True

    def _drain_to_end(self) -> None:
        """Everything that was written before the exit. Polling makes the kernel hand over what is still on its way."""
        deadline = time.monotonic() + DRAIN_SECONDS
        poll = select.poll()
        poll.register(self._master, select.POLLIN)
        while time.monotonic() < deadline and poll.poll(0) and self._drain_once():
            pass

    def _feed(self) -> None:
        with contextlib.suppress(BlockingIOError):
            written = os.write(self._master, self._input[:_CHUNK])
            del self._input[:written]

    def _resize(self, columns: int, rows: int) -> None:
        size = struct.pack("HHHH", min(rows, 0xFFFF), min(columns, 0xFFFF), 0, 0)
        fcntl.ioctl(self._master, termios.TIOCSWINSZ, size)

    # ------------------------------------------------------------ the hub

    def _serve(self, events: int) -> None:
        if events & select.POLLOUT:
            self._flush()  # it may find that the hub is gone
        if self._control is None or not events & (select.POLLIN | select.POLLHUP | select.POLLERR):
            return
        try:
            data = self._control.recv(_CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._hang_up()
            return
        self._commands += data
        self._obey_what_came()

    def _obey_what_came(self) -> None:
        while (end := self._commands.find(b"\n")) >= 0:
            line = bytes(self._commands[:end])
            del self._commands[: end + 1]
            self._obey(json.loads(line))

    def _obey(self, command: dict[str, Any]) -> None:
        if "input" in command:
            self._input += base64.b64decode(command["input"])[: max(0, MOST_WAITING - len(self._input))]
        elif "size" in command:
            columns, rows = command["size"]
            self._resize(columns, rows)
        elif "signal" in command:
            self._signal(command["signal"])

    def _tell_how_much(self) -> None:
        """Poke the hub, at most one poke ahead of what it has read."""
        if self._announced != self._log.total and not self._to_hub:
            self._announced = self._log.total
            self._say({"wrote": self._announced})

    def _say(self, what: dict[str, Any]) -> None:
        self._to_hub += json.dumps(what).encode() + b"\n"
        self._flush()

    def _flush(self) -> None:
        if self._control is None:
            self._to_hub.clear()
            return
        try:
            sent = self._control.send(self._to_hub)
            del self._to_hub[:sent]
        except BlockingIOError:
            pass
        except OSError:
            self._hang_up()

    def _hang_up(self) -> None:
        if self._control is not None:
            self._control.close()
            self._control = None
        self._to_hub.clear()


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _adopt_orphans() -> bool:
    """Become the reaper of all descendants; whether the system can do that (Linux)."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes

        return bool(ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except Exception:  # a Python without ctypes: orphans then go to init, as they always did
        return False


def _read_line(control: socket.socket) -> tuple[bytes, bytes]:
    received = b""
    while b"\n" not in received:
        data = control.recv(_CHUNK)
        if not data:
            raise SystemExit(1)
        received += data
    line, _, rest = received.partition(b"\n")
    return line, rest


def main() -> None:
    """Keep the debuggee that the first line on the socket describes."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.set_inheritable(False)
    line, rest = _read_line(control)
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTTOU, signal.SIGTTIN):
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    run = json.loads(line)["run"]
    adopts = run.get("adopts", True) and _adopt_orphans()
    control.setblocking(False)
    Keeper(control, run, rest, adopts=adopts).keep()


if __name__ == "__main__":
    main()
