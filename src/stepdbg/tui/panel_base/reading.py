"""The base of the panels that are read: a text that grows, whose end is followed."""

from __future__ import annotations

from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.state.selection import Copied


class Reading(Panel):
    """A text that grows: its end is followed until it is scrolled away from it."""

    of_the_moment = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.follows = True

    def follow(self) -> None:
        """Go back to the end."""
        self.follows = True
        self.repaint()

    def kept_in_view(self) -> int:
        """The end, while it is followed."""
        last = max(0, self.total - self.body_rows)
        return last if self.follows else min(self.top, last)

    def move(self, rows: int, columns: int = 0) -> None:
        """Scroll by rows: there is no cursor."""
        self.scrolled(rows)

    def go_to(self, end: int) -> None:
        """Scroll to the oldest line (0), or go back to following the end (-1)."""
        self.scrolled(-self.total if end == 0 else self.total)

    def scrolled(self, rows: int) -> None:
        """Scroll; at the end it is followed again."""
        last = max(0, self.total - self.body_rows)
        self.top = max(0, min(self.top + rows, last))
        self.follows = self.top >= last
        self.moved()

    def copied(self) -> Copied | None:
        """The last line in view."""
        lines = [line for line in self.text().splitlines()[1:] if line.strip()]
        return Copied("the last line", lines[-1].strip()) if lines else None

    def row_clicked(self, row: int) -> None:
        """Do nothing: there is no cursor that a click could put on a row."""
