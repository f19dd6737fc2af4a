"""The hooks of one way into a phase."""

from __future__ import annotations

from typing import Protocol


class UnitHooks(Protocol):
    """What is hooked for it: put in by `enter`, out by `leave`, whatever has happened in between."""

    def enter(self) -> None:
        """Hook it."""

    def ordered(self) -> None:
        """The user has said how to go on from a stop in the phase."""

    def ends(self) -> None:
        """The phase has come to its end, and is still one to stop in."""

    def leave(self) -> None:
        """Unhook it."""
