"""What the keeper leaves behind where it dies: the hub adopts it, and so still hears how the target ends."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Callable

_PR_SET_CHILD_SUBREAPER = 36


class Orphans:
    """The adoption. It begins once, before there can be any."""

    def __init__(self) -> None:
        self.adopted = False
        """Whether this system knows adoption (Linux)."""
        self._awaited: dict[int, Callable[[int], None]] = {}

    def await_end(self, pid: int, ended: Callable[[int], None]) -> None:
        """Tell the exit status (negative: a signal) of that process, should it come to be our child."""
        if not self.adopted:
            self.adopted = _adopt()
            if self.adopted:
                asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._collect)
        self._awaited[pid] = ended

    def _collect(self) -> None:
        """Collect what has ended: the keeper too, which nobody waits for."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if (ended := self._awaited.pop(pid, None)) is not None:
                ended(os.waitstatus_to_exitcode(status))


def _adopt() -> bool:
    if not sys.platform.startswith("linux"):
        return False
    try:
        import ctypes  # 3 ms, and not before the target has been started

        return bool(ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0)
    except (ImportError, OSError, AttributeError):
        return False
