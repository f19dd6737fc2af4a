"""The leader of the session that the target's terminal belongs to: it starts the target, and then sleeps.

When the leader of a session ends, the kernel hangs up the foreground of its terminal, and so does the last descriptor
of the pty's other end. Were the keeper both, as it does the work, its death would be training's. So a second process,
which has nothing to do and hardly can fail, leads the session and holds that end of the pty too. Where the keeper dies
it copies what the target writes into the log, for nobody must wait for a reader for ever.

Run by the keeper as `python -I -S leader.py LIFELINE MASTER SLAVE`, three descriptors; standard library only. The
keeper writes a line of JSON, `{"argv", "cwd", "variables", "log"}`, and gets one back: `{"started": pid}` or
`{"cannot": why}`. The target is not a child of this process: its parent, which ends at once, leaves it to the keeper,
which adopts orphans.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import sys
import termios
from typing import Any

DONE = b"done"
"""What the keeper says when nobody needs the terminal any more. A hang-up without means that it died."""
LOOK_SECONDS = 1.0
"""Without a keeper, so often is looked whether anybody of the target is there still."""
_CHUNK = 65536


def start(run: dict[str, Any], slave: int, *, orphan: bool = True) -> dict[str, Any]:
    """Execute the target in this session, as an orphan or as a child; what the keeper is told of it."""
    failed, report = os.pipe()
    reader, writer = os.pipe()
    between = os.fork() if orphan else 0
    parent = os.getpid()
    pid = 0 if between else os.fork()
    if pid and orphan:
        os.write(writer, str(pid).encode())
        os._exit(0)
    if not between and not pid:
        why = b""
        try:
            os.close(failed)
            if orphan:
                _wait_for_end(parent)
            _become(run, slave)
        except (OSError, ValueError) as error:  # a ValueError: a NUL in a word of the command
            name = getattr(error, "filename", None) or run["argv"][0]
            why = f"{name}: {getattr(error, 'strerror', None) or error}".encode("utf-8", "replace")
        finally:
            os.write(report, why or b"it cannot be started")
            os._exit(127)
    os.close(report)
    os.close(writer)
    if orphan:
        pid = int(os.read(reader, _CHUNK) or b"0")
        os.waitpid(between, 0)
    os.close(reader)
    why = b""
    while data := os.read(failed, _CHUNK):
        why += data
    os.close(failed)
    return {"cannot": why.decode("utf-8", "replace")} if why else {"started": pid}


def _wait_for_end(between: int) -> None:
    """Wait until that process has ended, for the target's parent to be the keeper from its beginning."""
    with contextlib.suppress(OSError):
        watched = os.pidfd_open(between)
        select.select([watched], [], [])
        os.close(watched)


def _become(run: dict[str, Any], slave: int) -> None:
    """A process group of its own in the foreground of the pty, then the target."""
    os.setpgid(0, 0)
    os.tcsetpgrp(slave, os.getpid())  # SIGTTOU is ignored still, or this would stop us
    for stream in (0, 1, 2):
        os.dup2(slave, stream)
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        with contextlib.suppress(OSError, ValueError):
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.chdir(run["cwd"])
    os.execvpe(run["argv"][0], run["argv"], {**os.environ, **run["variables"]})


def drain(master: int, log: str, group: int) -> None:
    """Copy, in the keeper's place, what the target's processes write, until none of them is there."""
    copy = None
    with contextlib.suppress(OSError):
        copy = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
    while True:
        ready = select.select([master], [], [], LOOK_SECONDS)[0]
        try:
            data = os.read(master, _CHUNK) if ready else b""
        except OSError:  # no process has the terminal open
            data = b""
            signal.sigtimedwait([signal.SIGCHLD], LOOK_SECONDS)
        if data and copy is not None:
            with contextlib.suppress(OSError):
                os.write(copy, data)
        if not data and not _is_there(group):
            return


def _is_there(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def main() -> None:
    """Lead the session, start the target, and sleep."""
    lifeline, master, slave = map(int, sys.argv[1:])
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGTTOU, signal.SIGTTIN):
        signal.signal(number, signal.SIG_IGN)
    with contextlib.suppress(PermissionError):
        os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for descriptor in (lifeline, master, slave):
        os.set_inheritable(descriptor, False)
    with socket.socket(fileno=lifeline) as keeper:
        received = b""
        while not received.endswith(b"\n"):
            data = keeper.recv(_CHUNK)
            if not data:
                return
            received += data
        run = json.loads(received)
        word = start(run, slave)
        os.close(slave)
        keeper.sendall(json.dumps(word).encode() + b"\n")
        with contextlib.suppress(OSError):
            if "started" in word and keeper.recv(_CHUNK) != DONE:
                drain(master, run["log"], word["started"])


if __name__ == "__main__":
    main()
