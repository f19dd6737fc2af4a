"""What watches lines in this Python, and what the two ways have in common."""

from __future__ import annotations

import sys
from typing import Protocol

from stepdbg.tracer.lines.watched_codes import GaveUp, IsCompiled, Reached, Wanted


class LineWatch(Protocol):
    """Has lines call back before they run."""

    def watch(self) -> str:
        """Wait for the lines that are wanted now, in the thread that calls this.

        Returns:
            Why that is not possible; empty where it is.
        """

    def check(self) -> str:
        """See that lines are still waited for; why not, if they are not."""

    def let_go(self) -> None:
        """Wait for no line any more, and leave nothing behind."""


def line_watch(wanted: Wanted, reached: Reached, is_compiled: IsCompiled, gave_up: GaveUp) -> LineWatch:
    """The way that this Python has."""
    if sys.version_info >= (3, 12):
        from stepdbg.tracer.lines.monitored import MonitoredLines

        return MonitoredLines(wanted, reached, is_compiled, gave_up)
    from stepdbg.tracer.lines.traced import TracedLines

    return TracedLines(wanted, reached, is_compiled, gave_up)
