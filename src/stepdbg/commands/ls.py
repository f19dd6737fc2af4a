"""`stepdbg ls`: the sessions that are alive, a line each."""

from __future__ import annotations

import time
from collections.abc import Sequence

from stepdbg.commands.printing import put, say
from stepdbg.hub.process.session_file import SessionFile, living_sessions
from stepdbg.printable import printable

KEPT = (
    "what has exited is kept to be read for 24 hours, with a small process and no training; "
    "`stepdbg attach SESSION` shows it, `stepdbg stop SESSION` ends it now"
)


def list_sessions() -> int:
    """Print the table of sessions."""
    sessions = living_sessions()
    if sessions:
        put(table(sessions, time.time()) + "\n")
        if any(session.state == "exited" for session in sessions):
            say(KEPT)
    else:
        say("there are no sessions")
    return 0


def table(sessions: Sequence[SessionFile], now: float) -> str:
    """The sessions as aligned text; `now` in seconds since the epoch."""
    rows = [("SESSION", "STATE", "AGE", "TARGET")]
    rows += [(one.name, one.state, age(now - one.started), printable(one.target)) for one in sessions]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows)


def age(seconds: float) -> str:
    """A duration in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
