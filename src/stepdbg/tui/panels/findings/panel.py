"""Panel K: what the rules have found."""

from __future__ import annotations

from stepdbg.protocol.messages import Finding
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.findings import view
from stepdbg.tui.state.line_breakpoints import written
from stepdbg.tui.state.selection import Copied
from stepdbg.tui.state.snapshot import Snapshot


class FindingsPanel(Panel):
    """Panel K: what the rules have found; one is opened where it stands."""

    panel = "findings"
    of_the_moment = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.opened: set[object] = set()
        """The findings of which all is told."""

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The findings, and whether training stops for a new one."""
        return view.draw(snapshot, frame, self.opened)

    def finding(self) -> Finding | None:
        """The finding under the cursor."""
        found = self._rows()
        return found[self.cursor].finding if self.cursor < len(found) else None

    def switch(self) -> None:
        """Tell all of the finding under the cursor, or no more than its line."""
        one = self.finding()
        if one is None:
            return
        key = view.key_of(one)
        self.opened ^= {key}
        found = self._rows()
        self.total = len(found)
        self.cursor = next(place for place, row in enumerate(found) if row.finding is one and row.first)
        if key in self.opened:  # as much of it as fits, from its first line on
            last = max(place for place, row in enumerate(found) if row.finding is one)
            self.top = min(self.cursor, max(self.top, last - self.body_rows + 1))
        self.moved()

    def has_selection(self) -> bool:
        """Whether the cursor is on a finding."""
        return self.finding() is not None

    def line(self) -> tuple[str, int] | None:
        """The line of the finding under the cursor."""
        one = self.finding()
        return (written(self.snapshot, one.file), one.line) if self.snapshot and one is not None and one.line else None

    def watchable(self) -> str:
        """Nothing: a finding has no value."""
        return ""

    def copied(self) -> Copied | None:
        """All of the finding under the cursor."""
        one = self.finding()
        return Copied("the finding", view.in_words(one)) if one is not None else super().copied()

    def _rows(self) -> list[view.Row]:
        return view.rows(self.snapshot, self.opened, max(1, self.room.width), self.glyphs) if self.snapshot else []
