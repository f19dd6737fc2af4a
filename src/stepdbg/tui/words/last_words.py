"""What is left on the terminal when the screen has gone: why the script crashed, as it would stand there without us."""

from __future__ import annotations

from stepdbg.printable import printable_lines
from stepdbg.tui.drawing.lines import text
from stepdbg.tui.state.snapshot import Snapshot

MOST_LINES = 200
"""The most lines of a traceback that are told: its end says what happened."""
FEW_LINES = 10
"""The lines of output that are told where a script failed with no traceback: its usage, or why it would not go on."""
_BEGINS = "Traceback (most recent call last):"
_CHAINED = ("During handling of the above exception", "The above exception was the direct cause")


def last_words(snapshot: Snapshot) -> str:
    """The traceback of a script that has crashed, or the end of what one printed that failed; through the gate."""
    stops = (rank.stop for rank in snapshot.session.ranks if rank.stop is not None)
    failure = next((stop.failure for stop in stops if stop.failure is not None), None)
    raised = failure.traceback.rstrip().splitlines() if failure is not None else []
    printed: list[str] = []
    if snapshot.over and snapshot.session.exit_status:
        printed = [text(line) for line in snapshot.output.lines]
        while printed and not printed[-1].strip():
            printed.pop()
        printed = printed[_beginning(printed) :]
    if raised and raised[-1] not in printed[:-1]:  # else what was raised since is chained to it, and printed
        return _told(raised)
    return _told(printed)


def _beginning(lines: list[str]) -> int:
    """Where the last traceback begins, with those that it is chained to."""
    begins = [place for place, line in enumerate(lines) if line.lstrip(" |+-").startswith(_BEGINS)]
    if not begins:
        return max(0, len(lines) - FEW_LINES)
    start = begins.pop()
    while begins and any(line.startswith(_CHAINED) for line in lines[begins[-1] : start]):
        start = begins.pop()
    return start


def _told(lines: list[str]) -> str:
    return printable_lines("\n".join(lines[-MOST_LINES:]) + "\n") if lines else ""
