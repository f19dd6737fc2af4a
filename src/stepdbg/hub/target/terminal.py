"""The hub's side of the keeper: start it, tell it, listen to it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from stepdbg.protocol.runtime_folder import OUTPUT_LOG

KEEPER = Path(__file__).resolve().with_name("keeper.py")


class Target(Protocol):
    """The terminal that the target runs on, if it has one."""

    def type(self, data: bytes) -> None: ...

    def resize(self, columns: int, rows: int) -> None: ...

    def signal(self, number: int) -> None: ...


class Terminal:
    """The keeper and, through it, the target's terminal and process group."""

    def __init__(self, on_word: Callable[[dict[str, object]], None], on_loss: Callable[[], None]) -> None:
        self._on_word, self._on_loss = on_word, on_loss
        self._writer: asyncio.StreamWriter | None = None
        self._early: list[dict[str, object]] = []
        """What was said before the keeper was there."""
        self._listening: asyncio.Task[None] | None = None
        self._process: subprocess.Popen[bytes] | None = None

    async def start(
        self, folder: Path, argv: tuple[str, ...], cwd: str, variables: dict[str, str], columns: int, rows: int
    ) -> None:
        """Start the keeper, which starts the target.

        Raises:
            OSError: the keeper cannot be started.
        """
        ours, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(KEEPER), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,
            )
        reader, self._writer = await asyncio.open_unix_connection(sock=ours, limit=1 << 20)
        self._say(
            {
                "run": {
                    "argv": argv,
                    "cwd": cwd,
                    "variables": variables,
                    "log": str(folder / OUTPUT_LOG),
                    "columns": columns,
                    "rows": rows,
                }
            }
        )
        for word in self._early:
            self._say(word)
        self._early.clear()
        self._listening = asyncio.create_task(self._listen(reader))

    def type(self, data: bytes) -> None:
        """Bytes for the target's standard input."""
        self._say({"input": base64.b64encode(data).decode()})

    def resize(self, columns: int, rows: int) -> None:
        """The size of the target's terminal."""
        self._say({"size": [max(1, min(columns, 32_767)), max(1, min(rows, 32_767))]})

    def signal(self, number: int) -> None:
        """A signal for the target's process group."""
        self._say({"signal": int(number)})

    def close(self) -> None:
        """Let go of the keeper, which stays as long as its target does."""
        if self._listening is not None:
            self._listening.cancel()
        if self._writer is not None:
            self._writer.close()
        if self._process is not None:
            self._process.returncode = 0  # it may live on; this keeps Popen from warning that it does

    def _say(self, what: dict[str, object]) -> None:
        if self._writer is None:
            self._early.append(what)
        elif not self._writer.is_closing():
            self._writer.write(json.dumps(what).encode() + b"\n")

    async def _listen(self, reader: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, ValueError):
            while line := await reader.readline():
                self._on_word(json.loads(line))
        self._on_loss()
