"""What the user is told of a target that never trained."""

from __future__ import annotations

import signal

NOBODY_BORN = (
    "no process of this target loaded stepdbg: Python was started with -I, -E or -S, or by a launcher of "
    "another environment; start it without those, or install stepdbg there"
)


def why_no_training(script: str, status: int, *, born: bool) -> str:
    """A sentence on a target that ended with `status` (negative: a signal) and met no phase.

    Args:
        script: its short name.
        status: its exit status.
        born: whether any of its processes loaded stepdbg.
    """
    if not born:
        return NOBODY_BORN
    if status == 0:
        return f"{script} ended and never trained: no forward, backward or step was seen"
    how = f"by {signal.Signals(-status).name}" if status < 0 else f"with status {status}"
    return f"{script} ended {how} before it trained; its output says why"
