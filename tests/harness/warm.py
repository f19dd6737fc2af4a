"""Programs run in a Python that has imported torch already: most of what a short program takes is that import.

Two servers for each pytest process, one of them for programs of a session, fork for every run (`warm_server`). What a
program prints, computes and ends with is what it is in a Python of its own; the tests of `tests/scripts` hold many of
them against a run of the real command. What a program can see: torch and `torch._dynamo` are loaded before its first
line, in a session the tracer as well, there are frames below its own, and the hash seed is that of the others. What
looks at such things is run by `sys.executable`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import py_compile
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple, Self

SERVER = Path(__file__).with_name("warm_server.py")
INTERPRETER = Path(__file__).with_name("warm_python.py")


_starting = threading.Lock()
"""Held while the server is asked for: threads of a test shall not start two."""


class Server(NamedTuple):
    """The process to fork, and the socket on which it is asked to."""

    process: subprocess.Popen[bytes]
    control: socket.socket


@functools.cache
def server(traced: bool) -> Server:
    """The server of this process, which ends with it, killed or not: its socket then has no other end."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    program = Path(__file__).parent / "__pycache__" / SERVER.stem
    py_compile.compile(str(SERVER), str(program / "__main__.pyc"), dfile="<frozen warm>", doraise=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    with theirs:
        process = subprocess.Popen(
            [sys.executable, str(program), str(theirs.fileno()), *(["traced"] if traced else [])],
            env=environment,
            pass_fds=[theirs.fileno()],
            stdin=subprocess.PIPE,  # pipes, as a program's own will be: Python looks at what they are as it starts
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    atexit.register(_end, process, ours)
    return Server(process, ours)


def _is_traced(environment: Mapping[str, str]) -> bool:
    """Whether a program is one of a session."""
    return "STEPDBG_SESSION" in environment


def _end(process: subprocess.Popen[bytes], control: socket.socket) -> None:
    control.close()
    process.communicate()


@functools.cache
def interpreter() -> Path:
    """What a command can be given as `--python`, so that the script runs in a fork of the server.

    The script's process is then no child of what the hub has started, but of the server: not for tests of signals,
    of process groups, or of a terminal.
    """
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="sd-"))
    atexit.register(shutil.rmtree, folder)
    door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    door.bind(str(folder / "door"))
    door.listen()
    threading.Thread(target=_admit, args=(door,), daemon=True).start()
    path = folder / "python"
    given = [sys.executable, str(folder / "door")]
    path.write_text(
        f"#!{sys.executable} -IS\nimport sys\nsys.argv[1:1] = {given}\nexec(open({str(INTERPRETER)!r}).read())\n"
    )
    path.chmod(0o755)
    return path


def option() -> tuple[str, str]:
    """An option of a command of ours: the script runs in that interpreter."""
    return "--python", str(interpreter())


def _admit(door: socket.socket) -> None:
    """Hand on to the server what comes to the door."""
    while True:
        connection, _ = door.accept()
        with connection:
            request, given, _, _ = socket.recv_fds(connection, 1 << 20, 4)
            if request:
                with _starting:
                    control = server(_is_traced(json.loads(request)["environment"])).control
                socket.send_fds(control, [request], given)
            for descriptor in given:
                os.close(descriptor)


class Process:
    """A program that runs; in its ways a `subprocess.Popen` in text mode, as far as tests need one."""

    def __init__(self, arguments: list[str], env: dict[str, str], cwd: Path | None = None) -> None:
        """Start `python arguments`, a script first, with nothing to read, in this folder or in another one."""
        self.returncode: int | None = None
        self._reply, reply = socket.socketpair()
        out, stdout = os.pipe()
        err, stderr = os.pipe()
        stdin = os.open(os.devnull, os.O_RDONLY)
        self.stdout, self.stderr = os.fdopen(out), os.fdopen(err)
        request = json.dumps({"cwd": str(cwd or Path.cwd()), "environment": env, "arguments": arguments}).encode()
        given = [stdin, stdout, stderr, reply.detach()]
        traced = _is_traced(env)
        with _starting:
            control = server(traced).control
        socket.send_fds(control, [request], given)
        for descriptor in given:
            os.close(descriptor)
        self._told = self._reply.makefile("rb")
        line = self._told.readline()
        if not line:
            raise RuntimeError(f"the warm Python has ended: {server(traced).process.communicate()[1].decode()}")
        self.pid = int(line)

    def wait(self, timeout: float | None = None) -> int:
        """The exit status; that of a signal is negative.

        Raises:
            TimeoutError: it still runs after these seconds.
        """
        if self.returncode is None:
            self._reply.settimeout(timeout)
            self.returncode = os.waitstatus_to_exitcode(int(self._told.readline()))
            self._told.close()
            self._reply.close()
        return self.returncode

    def poll(self) -> int | None:
        """The exit status; None while it runs."""
        if self.returncode is None:
            with selectors.DefaultSelector() as selector:
                selector.register(self._reply, selectors.EVENT_READ)
                if not selector.select(0):
                    return None
        return self.wait()

    def kill(self) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):  # it has ended, and that is still to be told
                os.kill(self.pid, signal.SIGKILL)

    def communicate(self, timeout: float) -> tuple[str, str]:
        """All that it still prints, to its end."""
        ends = time.monotonic() + timeout
        found: dict[int, bytes] = {}
        with selectors.DefaultSelector() as selector:
            for stream in (self.stdout, self.stderr):
                found[stream.fileno()] = b""
                selector.register(stream, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(max(0.0, ends - time.monotonic()))
                if not ready:
                    raise TimeoutError(f"still running after {timeout} s, has printed {list(found.values())}")
                for key, _ in ready:
                    data = os.read(key.fd, 1 << 16)
                    found[key.fd] += data
                    if not data:
                        selector.unregister(key.fileobj)
        self.wait(max(0.1, ends - time.monotonic()))
        return tuple(data.decode() for data in found.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.stdout.close()
        self.stderr.close()
        self.wait()


def finish(arguments: list[str], env: dict[str, str], seconds: float) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of `python arguments`."""
    with Process(arguments, env) as process:
        try:
            out, err = process.communicate(seconds)
        finally:
            process.kill()
    return process.wait(), out, err
