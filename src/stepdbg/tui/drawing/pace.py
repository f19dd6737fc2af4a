"""How long the screen waits before it paints, so that what belongs together comes in one frame. All in seconds."""

from __future__ import annotations

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
