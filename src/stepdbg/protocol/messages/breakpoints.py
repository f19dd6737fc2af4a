"""Where training shall stop."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part


class Breakpoint(Part, frozen=True):
    """Where to stop: at a phase, at an update, or at a phase of one update."""

    number: int
    """From 1, given by the hub; 0 in a request."""
    phase: str | None = None
    when: Literal["before", "after"] = "before"
    update: int | None = None
    enabled: bool = True
    hits: int = 0
