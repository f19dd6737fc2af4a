"""Panel 8: breakpoints and edits."""

from __future__ import annotations

from stepdbg.protocol.messages import Breakpoint
from stepdbg.tui.drawing.lines import Drawing, Frame
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.breakpoints import view as breaks
from stepdbg.tui.state.snapshot import Snapshot


class BreaksPanel(Panel):
    """Panel 8: breakpoints and edits."""

    panel = "breaks"
    of_the_moment = False

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """Breakpoints, then edits."""
        return breaks.draw(snapshot, frame)

    def breakpoint(self) -> Breakpoint | None:
        """The breakpoint under the cursor."""
        rows = breaks.items(self.snapshot) if self.snapshot else []
        return rows[self.cursor].breakpoint if self.cursor < len(rows) else None
