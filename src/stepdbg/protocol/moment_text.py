"""A moment of the day as people write it, and as it is told: `14:30`, `2026-11-30 14:30:05`, `10 min` from now."""

from __future__ import annotations

import re

MOMENT = r"(?P<date>\d{4}-\d\d-\d\d\s+)?(?P<clock>\d{1,2}:\d\d(?::\d\d)?)"
"""A time of the day, maybe of a certain day."""
_SPAN = re.compile(r"(?:in\s+)?(\d+(?:\.\d+)?)\s*(s|sec|seconds?|min|minutes?|h|hours?)\Z")
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def moment(date: str, clock: str, now: float) -> float | None:
    """The seconds since 1970 of a time of the day: the next one after `now`, where no day is given. None where there is
    no such time.
    """
    from datetime import datetime, timedelta

    hour, minute, *second = map(int, clock.split(":"))
    try:
        day = datetime.strptime(date.strip(), "%Y-%m-%d") if date else datetime.fromtimestamp(int(now))
        found = day.replace(hour=hour, minute=minute, second=second[0] if second else 0, microsecond=0)
    except ValueError:
        return None
    if not date and found.timestamp() <= now:
        found += timedelta(days=1)
    return found.timestamp()


def after(words: str, now: float) -> float | None:
    """The seconds since 1970 of what is so far ahead of `now`: `90 s`, `10 min`, `1.5 h`. None where it is no span."""
    match = _SPAN.match(words.strip())
    return float(int(now + float(match[1]) * _SECONDS[match[2][0]]) + 1) if match else None


def told(seconds: float) -> str:
    """`2026-11-30 14:30:05`: that moment, as `moment` reads it back."""
    from datetime import datetime

    return datetime.fromtimestamp(int(seconds)).strftime("%Y-%m-%d %H:%M:%S")
