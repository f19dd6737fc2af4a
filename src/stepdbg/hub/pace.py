"""How many updates a second a rank makes, as seen by looking at its count now and then."""

from __future__ import annotations

_SMOOTHING_SECONDS = 2.0
"""Seconds over which a pace is averaged, about."""


class Pace:
    """Measured from one move of the count to a later one, so that a look between two slow updates sees no standstill.

    Where the count has not moved for longer than that, it is as many as if it moved just now, and so goes down.
    """

    def __init__(self) -> None:
        self._count: int | None = None
        self._moved: float | None = None
        """The time at which the count was seen to move; None while it has not."""
        self._rate: float | None = None

    def seen(self, count: int, now: float) -> float | None:
        """Updates a second, the count being this; None where nothing was measured yet."""
        before, self._count = self._count, count
        if before is None:
            return None
        if count <= before:
            if self._rate is None or self._moved is None or now <= self._moved:
                return self._rate
            return min(self._rate, 1 / (now - self._moved))
        moved, self._moved = self._moved, now
        if moved is not None and now > moved:
            rate = (count - before) / (now - moved)
            share = min(1.0, (now - moved) / _SMOOTHING_SECONDS)
            self._rate = rate if self._rate is None else self._rate + share * (rate - self._rate)
        return self._rate
