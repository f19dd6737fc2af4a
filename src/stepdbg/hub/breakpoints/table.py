"""The session's breakpoints: numbered, switched, counted."""

from __future__ import annotations

import msgspec

from stepdbg.protocol.messages import Breakpoint

MOST = 500
"""Breakpoints of one session."""
LONGEST_PHASE = 1000
"""Characters of a phase's name."""


class BreakpointTable:
    """All breakpoints in the order of their numbers."""

    def __init__(self, first: tuple[Breakpoint, ...] = ()) -> None:
        self._next = 1
        self.all: tuple[Breakpoint, ...] = ()
        for breakpoint in first:
            self.add(breakpoint)

    def add(self, wanted: Breakpoint) -> bool:
        """Add one, or switch on the one that is at that place already. False for no place, and for one too many."""
        if (wanted.phase is None and wanted.update is None) or len(wanted.phase or "") > LONGEST_PHASE:
            return False
        for breakpoint in self.all:
            if (breakpoint.phase, breakpoint.when, breakpoint.update) == (wanted.phase, wanted.when, wanted.update):
                self.switch(breakpoint.number, True)
                return True
        if len(self.all) >= MOST:
            return False
        self.all += (msgspec.structs.replace(wanted, number=self._next, hits=0),)
        self._next += 1
        return True

    def switch(self, number: int, enabled: bool) -> None:
        """Switch one on or off."""
        self.all = tuple(
            msgspec.structs.replace(breakpoint, enabled=enabled) if breakpoint.number == number else breakpoint
            for breakpoint in self.all
        )

    def remove(self, number: int) -> None:
        """Forget one."""
        self.all = tuple(breakpoint for breakpoint in self.all if breakpoint.number != number)

    def hit(self, number: int) -> None:
        """Count a stop at one."""
        self.all = tuple(
            msgspec.structs.replace(breakpoint, hits=breakpoint.hits + 1) if breakpoint.number == number else breakpoint
            for breakpoint in self.all
        )

    def forget_hits(self) -> None:
        """A new run counts from 0."""
        self.all = tuple(msgspec.structs.replace(breakpoint, hits=0) for breakpoint in self.all)
