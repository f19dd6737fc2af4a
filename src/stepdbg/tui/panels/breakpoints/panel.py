"""Panel 8: breakpoints, watches and edits."""

from __future__ import annotations

from stepdbg.protocol.messages import Breakpoint, Watch
from stepdbg.tui.drawing.lines import Drawing, Frame
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.breakpoints import view as breaks
from stepdbg.tui.state.snapshot import Snapshot


class BreaksPanel(Panel):
    """Panel 8: breakpoints, watches and edits."""

    panel = "breaks"
    of_the_moment = False

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """Breakpoints, then watches, then edits."""
        return breaks.draw(snapshot, frame)

    def breakpoint(self) -> Breakpoint | None:
        """The breakpoint under the cursor."""
        item = self._item()
        return item.breakpoint if item is not None else None

    def watch_at_hand(self) -> Watch | None:
        """The watch under the cursor."""
        item = self._item()
        return item.watch.watch if item is not None and item.watch is not None else None

    def switchable(self) -> bool:
        """Whether the cursor is on a breakpoint or a watch."""
        return self.breakpoint() is not None or self.watch_at_hand() is not None

    def watchable(self) -> str:
        """The expression under the cursor, to be written anew from."""
        watch = self.watch_at_hand()
        return watch.expression if watch is not None else ""

    def _item(self) -> breaks.Item | None:
        rows = breaks.items(self.snapshot) if self.snapshot else []
        return rows[self.cursor] if self.cursor < len(rows) else None
