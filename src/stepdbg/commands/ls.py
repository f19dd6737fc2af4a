"""`stepdbg ls`: the sessions that are alive, a line each."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from stepdbg.hub.card import Card, living_sessions

KEPT = (
    "what has exited is kept to be read for 24 hours, with a small process and no training; "
    "`stepdbg attach SESSION` shows it, `stepdbg stop SESSION` ends it now"
)


def list_sessions() -> int:
    """Print the table of sessions."""
    cards = living_sessions()
    if cards:
        print(table(cards, time.time()))
        if any(card.state == "exited" for card in cards):
            print(f"stepdbg: {KEPT}", file=sys.stderr)
    else:
        print("stepdbg: there are no sessions", file=sys.stderr)
    return 0


def table(cards: Sequence[Card], now: float) -> str:
    """The sessions as aligned text; `now` in seconds since the epoch."""
    rows = [("SESSION", "STATE", "AGE", "TARGET")]
    rows += [(card.name, card.state, age(now - card.started), card.target) for card in cards]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join("  ".join([*map(str.ljust, row, widths), row[3]]) for row in rows)


def age(seconds: float) -> str:
    """A duration in its largest unit: `12 s`, `3 min`, `5 h`, `2 d`."""
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
