"""What the user is told of a target that never trained."""

from __future__ import annotations

import signal
from collections.abc import Sequence

NOBODY_BORN = (
    "no process of this target loaded stepdbg: Python was started with -I, -E or -S, or by a launcher of "
    "another environment; start it without those, or install stepdbg there"
)


_MISPLACED = frozenset(
    ("-b", "--break", "-w", "--watch", "--watch-csv", "--stop-on", "--headless", "--fresh", "--readonly", "--no-hints",
     "--keep", "--async-conditions", "--ascii")
)  # fmt: skip
"""Options of stepdbg's that a script does not know, where they stand after its name."""
_BAD_USAGE = 2
"""The exit status of a program whose options make no sense to it."""


def options_of_ours(words: Sequence[str]) -> tuple[str, ...]:
    """The options of stepdbg's that stand among the words of a target, each once."""
    return tuple(dict.fromkeys(name for word in words if (name := word.partition("=")[0]) in _MISPLACED))


def misplaced(status: int, words: Sequence[str]) -> str:
    """Where options of stepdbg's stand that a target may have been ended by; empty where there are none.

    Args:
        status: its exit status.
        words: its command line.
    """
    found = options_of_ours(words)
    return where_they_stand(found) if status == _BAD_USAGE and found else ""


def where_they_stand(options: Sequence[str]) -> str:
    """Where options of stepdbg's stand."""
    are, them = ("is", "it") if len(options) == 1 else ("are", "them")
    return f"if {' and '.join(options)} {are} meant for stepdbg: write {them} before the script"


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
