"""Starting a hub: a detached process that inherits a socket on which clients may knock at once."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import msgspec

from stepdbg.errors import UsageError
from stepdbg.protocol.messages import PROTOCOL_VERSION, Breakpoint, Go, RankWelcome, Tracing, Watch
from stepdbg.protocol.runtime_folder import CLIENT_SOCKET, HUB_LOG, RUNTIME_VARIABLE, SESSION_VARIABLE, new_session

LAUNCH = "launch.json"
"""The file in the session's folder that tells the hub what to run."""
INJECT = Path(__file__).resolve().parent.parent / "tracer" / "inject"
"""The folder whose `sitecustomize` the target's Python finds first."""


class Launch(msgspec.Struct, frozen=True):
    """What a session runs, and how it begins."""

    argv: tuple[str, ...]
    """The command of the target."""
    script: str
    """The target's short name for people: `mnist.py`."""
    cwd: str
    breakpoints: tuple[Breakpoint, ...] = ()
    go: Go | None = None
    """How each training process begins; None: it stops at its first boundary."""
    exceptions: bool = True
    """Whether an uncaught exception is a stop."""
    readonly: bool = False
    keep: int = 25
    """Percent of the free memory that a rank may take for what tensors were before a phase."""
    terminal: bool = True
    """False: the target runs elsewhere, as a child of a launcher, with no pty."""
    trace: Tracing | None = None
    """Every boundary is told to the launcher."""
    kept: str = ""
    """The file in which screens keep breakpoints and layout of this script; empty: nothing is kept."""
    columns: int = 80
    rows: int = 24
    watches: tuple[Watch, ...] = ()
    async_conditions: bool = False
    """Whether a condition on what lies on a device may be read at a later boundary."""
    rules: tuple[str, ...] | None = None
    """The names of the rules that look on while somebody steps; None for all that go by no threshold."""
    ignored_rules: tuple[str, ...] = ()
    """Those that do not."""

    def welcome(self, go: Go | None, breakpoints: tuple[Breakpoint, ...], watches: tuple[Watch, ...]) -> RankWelcome:
        """How a training process that enters is to begin."""
        return RankWelcome(
            PROTOCOL_VERSION,
            go,
            breakpoints,
            self.readonly,
            self.trace,
            self.keep,
            watches,
            self.exceptions,
            self.async_conditions,
            self.rules,
            self.ignored_rules,
        )

    @property
    def target(self) -> str:
        """The command line, for people."""
        import shlex  # the hub's alone

        return shlex.join(self.argv)


def written(launch: Launch) -> bytes:
    """The launch as JSON, also where a path or an argument is no UTF-8."""
    try:
        return msgspec.json.encode(launch)
    except UnicodeEncodeError:
        import json  # msgspec knows no lone surrogates

        return json.dumps(msgspec.to_builtins(launch)).encode()


def read_launch(folder: Path) -> Launch:
    """What the session in that folder runs."""
    data = (folder / LAUNCH).read_bytes()
    if b"\\ud" not in data:
        return msgspec.json.decode(data, type=Launch)
    import json

    return msgspec.convert(json.loads(data), Launch)


def start_hub(launch: Launch) -> Path:
    """Start the hub of a new session, which in turn starts the target; returns the session's folder.

    A client may connect as soon as this returns.

    Raises:
        UsageError: the folder, a file or the socket cannot be made, or the hub cannot be started.
    """
    folder = new_session(launch.script)
    try:
        (folder / LAUNCH).write_bytes(written(launch))
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            listener.bind(str(folder / CLIENT_SOCKET))
            listener.listen(16)
            with open(folder / HUB_LOG, "ab") as log:
                subprocess.Popen(
                    # -P: the user's folder must not shadow the standard library of the hub
                    [sys.executable, "-P", "-m", "stepdbg.hub", str(folder), str(listener.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    pass_fds=[listener.fileno()],
                    start_new_session=True,
                )
    except OSError as error:
        _remove(folder)
        raise UsageError(
            f"cannot start a session in {folder.parent} ({error.strerror or error}); make room there, or set "
            f"{RUNTIME_VARIABLE} to another folder of yours"
        ) from error
    return folder


def _remove(folder: Path) -> None:
    """Remove a session's folder in which nothing has run yet, without a descriptor, which there may be none of."""
    for name in (LAUNCH, CLIENT_SOCKET, HUB_LOG):
        with contextlib.suppress(OSError):
            os.unlink(folder / name)
    with contextlib.suppress(OSError):
        os.rmdir(folder)


def target_variables(folder: Path, environment: dict[str, str]) -> dict[str, str]:
    """The variables that the target gets beyond its own: the session, and where `sitecustomize` lies.

    No `:` is left at the end of an empty `PYTHONPATH`, since it would mean the current folder.
    """
    path = environment.get("PYTHONPATH")
    return {SESSION_VARIABLE: str(folder), "PYTHONPATH": f"{INJECT}{os.pathsep}{path}" if path else str(INJECT)}
