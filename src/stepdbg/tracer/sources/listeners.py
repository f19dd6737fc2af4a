"""What sources want to be told of by the tracer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Listeners:
    """Who is told."""

    call_ended: Callable[[str], None] = lambda _: None
    """A phase has ended at the level of the script, and its successor is not only noted."""
    update: Callable[[], None] | None = None
    """An update has opened after another."""
    looked_at: Callable[[], None] = lambda: None
    """Somebody may look at a boundary."""
