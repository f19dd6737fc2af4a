"""Where stepping into a phase applies, and where there is something to show of its inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stepdbg.tui.actions.registry import Situation

_CLOSED = ("data", "zero_grad", "unscale", "clip", "scheduler")
"""Phases that have no operators worth a stop."""


def enters(here: Situation) -> bool:
    """Whether training waits in a phase, or before one that can be gone through by operators."""
    stop = here.snapshot.stop
    if not here.snapshot.paused or stop is None or stop.failure is not None:
        return False
    if stop.inner is not None:
        return bool(stop.boundary.inside)
    return stop.boundary.next is not None and stop.boundary.next not in _CLOSED


def has_result(here: Situation) -> bool:
    """Whether the stop that is looked at lies within a phase, and is about tensors."""
    stop = here.snapshot.seen.stop
    return stop is not None and stop.inner is not None and bool(stop.inner.tensors)
