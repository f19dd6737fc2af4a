"""The end of a traced target whose wanted updates are over: by itself, or after a while by signals.

Each process that trains ends by itself after so many updates. What only waits for those (the actors beside a learner, a
parent that joins them) would wait for ever: when none trains any more it is ended as well.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from stepdbg.commands.printing import say
from stepdbg.protocol.messages import RankState, Traced

PATIENCE_SECONDS = 10.0
"""So long may a process take to end after the `SystemExit`."""
BYSTANDERS_SECONDS = 5.0
"""So long may the rest of the target go on once no process of it trains any more."""
KILL_SECONDS = 5.0
"""From SIGTERM to SIGKILL."""
_POLL_SECONDS = 0.05


class Endings:
    """The processes that were ended because their updates are over, and in the end those beside them.

    Args:
        updates: how many were wanted; None for all.
    """

    def __init__(self, updates: int | None) -> None:
        self._updates = updates
        self._any = self._failed = False
        self._target = 0
        self._over: set[int] = set()
        """Training processes whose updates are over."""
        self._at_work: frozenset[int] = frozenset()
        """The others that train."""
        self._changed = threading.Condition()
        """Guards those two, and tells of their changes."""

    @property
    def orderly(self) -> bool:
        """Whether the updates wanted ended the target, and no exception did."""
        return self._any and not self._failed

    def started(self, pid: int) -> None:
        """The target runs."""
        self._target = pid

    def note(self, traced: Traced) -> None:
        """A boundary was traced."""
        if traced.reason == "exception":
            self._failed = True
        elif traced.reason == "updates":
            first, self._any = not self._any, True
            with self._changed:
                self._over.add(traced.pid)
                self._at_work -= self._over
                self._changed.notify_all()
            threading.Thread(target=self._see_it_end, args=(traced.pid,), name="ending", daemon=True).start()
            if first and self._target:
                threading.Thread(target=self._see_all_end, name="ending", daemon=True).start()

    def see(self, ranks: Sequence[RankState]) -> None:
        """The session has changed: these are its ranks."""
        if self._updates is None:
            return
        with self._changed:
            self._at_work = frozenset(rank.pid for rank in ranks if rank.state in ("running", "paused")) - self._over
            self._changed.notify_all()

    def _see_it_end(self, pid: int) -> None:
        ended = end_of(pid)
        if ended(PATIENCE_SECONDS):
            return
        say(f"process {pid} has not ended {PATIENCE_SECONDS:.0f} s after update {self._updates}: terminated")
        _end(pid, ended)

    def _see_all_end(self) -> None:
        """Wait until none trains any more, and what trained has ended; then give the rest its time."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: not self._at_work)
                over = set(self._over)
            for pid in over:
                end_of(pid)(PATIENCE_SECONDS + 2 * KILL_SECONDS)
            if not self._goes_on(over):
                break
        rest = [pid for pid in processes_below(self._target) if pid != self._target]
        ended = end_of(self._target)
        if ended(0):
            return
        which = f"{len(rest) + 1} processes of the target that do not train have" if rest else "the target has"
        say(f"{which} not ended {BYSTANDERS_SECONDS:.0f} s after update {self._updates}: terminated")
        for pid in rest:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGTERM)
        if not (rest and ended(KILL_SECONDS)):
            _end(self._target, ended)
        for pid in rest:
            if not (still := end_of(pid))(0):
                _end(pid, still)

    def _goes_on(self, over: set[int]) -> bool:
        """Whether, before long, another process trains than those whose updates are over."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._at_work) or self._over != over, BYSTANDERS_SECONDS)


def _end(pid: int, ended: Callable[[float], bool]) -> None:
    """SIGTERM, and SIGKILL where that does not help."""
    for number, seconds in ((signal.SIGTERM, KILL_SECONDS), (signal.SIGKILL, KILL_SECONDS)):
        with contextlib.suppress(OSError):
            os.kill(pid, number)
        if ended(seconds):
            return


def processes_below(pid: int) -> list[int]:
    """That process and all that it has started, as far as their parents live, the newest generation first."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents():
        children.setdefault(parent, []).append(child)
    found = [pid]
    for one in found:  # grows as it is gone through
        found += children.get(one, ())
    return found[::-1]


def _parents() -> list[tuple[int, int]]:
    """Each process of this machine and its parent."""
    found = []
    if Path("/proc/self/stat").exists():
        for entry in os.scandir("/proc"):
            if entry.name.isdigit():
                with contextlib.suppress(OSError, ValueError, IndexError):
                    state = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2].split()
                    if state[0] not in ("Z", "X"):
                        found.append((int(entry.name), int(state[1])))
        return found
    told = subprocess.run(["ps", "-axo", "pid=,ppid="], capture_output=True, text=True, check=False).stdout
    pairs = (line.split() for line in told.splitlines())
    return [(int(one[0]), int(one[1])) for one in pairs if len(one) == 2]


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
