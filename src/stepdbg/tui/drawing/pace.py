"""How long the screen waits before it paints, so that what belongs together comes in one frame. All in seconds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

TOGETHER = 0.03
"""Seconds that a stop waits for the answers that belong to it, to be painted in one frame."""
REST = 0.12
"""Seconds that the panels which are not in focus wait for their answers, after the others are painted."""
FLICKER = 0.12
"""Seconds of running before the screen says RUNNING: a step that is shorter goes from stop to stop."""
AHEAD = 0.2
"""Seconds that losses and output wait for the stop that they come just ahead of."""
TYPED_AHEAD = 1.0
"""Seconds that a key waits for the answers under way, where it is for what they show."""
TICK = 0.5
"""Seconds between two paintings of a time that passes (starting, a long phase)."""


class Pace:
    """Has the screen painted in time, and no oftener than is needed."""

    def __init__(self, paint: Callable[[], None]) -> None:
        self._paint = paint
        self._timer: asyncio.TimerHandle | None = None
        """The timer of the next painting; None while none is due."""

    def within(self, seconds: float) -> None:
        """Paint no later than that; an earlier promise holds."""
        loop = asyncio.get_running_loop()
        due = loop.time() + seconds
        if self._timer is not None and self._timer.when() <= due and seconds > 0:
            return
        self.cancel()
        if seconds <= 0:
            self._paint()
        else:
            self._timer = loop.call_at(due, self._paint)

    def cancel(self) -> None:
        """Cancel the painting that is due: the screen is being painted now."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
