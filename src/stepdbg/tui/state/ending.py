"""What has become of a session whose hub has hung up: ended on purpose, or lost, and whether anything still trains."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from stepdbg.protocol.messages import RankState
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.state.snapshot import Lost


def what_became(folder: Path, ranks: Iterable[RankState]) -> Lost:
    """Why the hub is gone, and what is so of the training, for the line under the rail.

    Args:
        folder: The session's. A hub that ends on purpose removes it before it hangs up; one that was killed does not.
        ranks: The training processes as they were known last; they are of this machine.
    """
    left = sum(_alive(rank.pid) for rank in ranks)
    ended = not folder.exists()
    why = "the session was ended from elsewhere" if ended else "the session's hub is gone"
    if left:
        verb = "goes" if left == 1 else "go"
        return Lost(f"{why}; {plural(left, 'training process', 'training processes')} {verb} on undebugged", ended)
    return Lost(f"{why}, and its training too" if ended else f"{why}; no training process is left", ended)


def _alive(pid: int) -> bool:
    """Whether there is such a process."""
    if pid <= 0:
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True
