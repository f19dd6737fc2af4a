"""A place of one's own for a test's sessions: a short runtime folder, and all processes that were started in it.

The processes are known by the runtime folder in their environment, which hub, keeper and training process inherit. So
exactly those are found and ended, whatever became of their parents.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from harness.deadline import deadline
from harness.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
"""The checkout."""
DEMOS = ROOT / "demos"
STEPDBG = Path(sys.executable).parent / "stepdbg"
"""The installed command, as a user runs it."""


class Place:
    """A runtime folder under /tmp (a socket's address has little room), with what runs in it."""

    def __init__(self) -> None:
        self.runtime = Path(tempfile.mkdtemp(prefix="sd-", dir="/tmp"))
        self.home = Path(tempfile.mkdtemp(prefix="sd-home-", dir="/tmp"))
        """Settings and state: those of a user who has seen the hints."""
        (self.home / "hints.toml").write_text("finished = true\n")
        self._terminals: list[Terminal] = []

    def env(self, **extra: str) -> dict[str, str]:
        """The environment of a user's shell in this place."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(
                ("STEPDBG_", "TEXTUAL", "PYTEST_", "COV_", "NO_COLOR", "PYTHONPATH", "COLUMNS", "LINES")
            )
        }
        return {
            **kept,
            "STEPDBG_RUNTIME_DIR": str(self.runtime),
            "STEPDBG_CONFIG_DIR": str(self.home),
            "STEPDBG_STATE_DIR": str(self.home),
            "COLORTERM": "truecolor",
            "LANG": "C.UTF-8",
            "PYTHONDONTWRITEBYTECODE": "",
            **extra,
        }

    def terminal(
        self, command: Sequence[str | Path], *, size: tuple[int, int] = (80, 24), cwd: Path | None = None, **extra: str
    ) -> Terminal:
        """A terminal of this size (columns, rows) in which this command has just been typed."""
        terminal = Terminal(
            [str(part) for part in command], columns=size[0], rows=size[1], env=self.env(**extra), cwd=cwd or ROOT
        )
        self._terminals.append(terminal)
        return terminal

    def stepdbg(
        self, *arguments: str | Path, size: tuple[int, int] = (80, 24), cwd: Path | None = None, **extra: str
    ) -> Terminal:
        """A terminal in which `stepdbg …` has just been typed."""
        return self.terminal([STEPDBG, *arguments], size=size, cwd=cwd, **extra)

    def run(
        self, *command: str | Path, seconds: float = 60.0, cwd: Path | None = None, **extra: str
    ) -> subprocess.CompletedProcess[str]:
        """Run to the end with no terminal, output captured."""
        return subprocess.run(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=deadline(seconds),
            cwd=cwd or ROOT,
            env=self.env(**extra),
            check=False,
        )

    def processes(self, *words: str) -> list[int]:
        """The processes of this place whose command line holds all of these words, oldest first."""
        mark = f"STEPDBG_RUNTIME_DIR={self.runtime}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == os.getpid():
                continue
            try:
                environment = (entry / "environ").read_bytes().split(b"\0")
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                started = int((entry / "stat").read_text().rpartition(")")[2].split()[19])
            except OSError:  # it ended meanwhile
                continue
            if mark in environment and command and all(word in command for word in words):
                found.append((started, int(entry.name)))
        return [pid for _, pid in sorted(found)]

    def target(self, script: str) -> list[int]:
        """The training processes: those of the session that run this script."""
        return [
            pid
            for pid in self.processes(script)
            if b"STEPDBG_SESSION=" in Path(f"/proc/{pid}/environ").read_bytes() and "keeper" not in _command(pid)
        ]

    def hub(self) -> int:
        """The process of the one hub."""
        (pid,) = self.processes("stepdbg.hub")
        return pid

    def wait_empty(self, seconds: float = 10.0) -> None:
        """Wait until no process of this place is left.

        Raises:
            AssertionError: some still run at the deadline; names them.
        """
        ends = time.monotonic() + deadline(seconds)
        while pids := self.processes():
            left = ends - time.monotonic()
            if left <= 0 or not _wait_end(pids[0], left):
                raise AssertionError(f"still running: {[_command(pid) for pid in pids]}")

    def clean(self) -> None:
        """End everything that runs here, and remove the folder."""
        for terminal in self._terminals:
            terminal.close()
        while pids := self.processes():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            for pid in pids:
                _wait_end(pid, 5.0)
        shutil.rmtree(self.runtime, ignore_errors=True)
        shutil.rmtree(self.home, ignore_errors=True)


def wait_end(pid: int, seconds: float) -> None:
    """Wait for the end of a process that need not be a child.

    Raises:
        AssertionError: it still runs at the deadline.
    """
    assert _wait_end(pid, deadline(seconds)), f"still running: {_command(pid)}"


def _wait_end(pid: int, seconds: float) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select.select([descriptor], [], [], seconds)[0])
    finally:
        os.close(descriptor)


def _command(pid: int) -> str:
    try:
        return f"{pid} " + Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
    except OSError:
        return str(pid)
