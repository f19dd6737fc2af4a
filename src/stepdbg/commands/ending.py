"""The end of a traced process whose wanted updates are over: by itself, or after a while by signals."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable

from stepdbg.commands.headless import say
from stepdbg.protocol.messages import Traced

PATIENCE_SECONDS = 10.0
"""So long may a process take to end after the `SystemExit`."""
KILL_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""
_POLL_SECONDS = 0.05


class Endings:
    """The processes that were ended because their updates are over.

    Args:
        updates: how many were wanted; None for all.
    """

    def __init__(self, updates: int | None) -> None:
        self._updates = updates
        self._any = self._failed = False

    @property
    def orderly(self) -> bool:
        """Whether the updates wanted ended the target, and no exception did."""
        return self._any and not self._failed

    def note(self, traced: Traced) -> None:
        """A boundary was traced."""
        if traced.reason == "exception":
            self._failed = True
        elif traced.reason == "updates":
            self._any = True
            threading.Thread(target=self._see_it_end, args=(traced.pid,), name="ending", daemon=True).start()

    def _see_it_end(self, pid: int) -> None:
        ended = end_of(pid)
        if ended(PATIENCE_SECONDS):
            return
        say(f"process {pid} has not ended {PATIENCE_SECONDS:.0f} s after update {self._updates}: terminated")
        for number, seconds in ((signal.SIGTERM, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
            with contextlib.suppress(OSError):
                os.kill(pid, number)
            if ended(seconds):
                return


def end_of(pid: int) -> Callable[[float], bool]:
    """A function that waits so many seconds for the end of a process, and says whether it has come.

    The process need not be a child of ours; one that nobody has reaped yet has ended where the system can tell.
    """
    if hasattr(os, "pidfd_open"):
        import select

        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            return lambda _: True
        return lambda seconds: bool(select.select([descriptor], [], [], seconds)[0])

    def ended(seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                return True
            time.sleep(_POLL_SECONDS)
        return False

    return ended
