"""The panels that are read: Loss, Output."""

from __future__ import annotations

from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panels.panel import Copied, Panel
from stepdbg.tui.panels.text import loss, output
from stepdbg.tui.state.snapshot import Snapshot


class LossPanel(Panel):
    """Panel 5: the chart."""

    panel = "loss"
    of_the_moment = False

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The chart."""
        return loss.draw(snapshot, frame)

    def copied(self) -> Copied | None:
        """The newest loss."""
        series = self.snapshot.losses if self.snapshot is not None else ()
        newest = max((one for one in series if one.points), key=lambda one: one.points[-1].update, default=None)
        if newest is None:
            return None
        return Copied(f"{newest.name} of update {newest.points[-1].update}", repr(newest.points[-1].value))


class Reading(Panel):
    """A text that grows: its end is followed until it is scrolled away from it."""

    of_the_moment = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.follows = True

    def follow(self) -> None:
        """Go back to the end."""
        self.follows = True

    def kept_in_view(self) -> int:
        """The end, while it is followed."""
        last = max(0, self.total - self.body_rows)
        return last if self.follows else min(self.top, last)

    def move(self, rows: int, columns: int = 0) -> None:
        """There is no cursor: scroll."""
        self.scrolled(rows)

    def go_to(self, end: int) -> None:
        """To the oldest line, or back to following the end."""
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

    def picked_row(self, row: int) -> None:
        """There is no cursor."""


class OutputPanel(Reading):
    """Panel 7: what the script prints."""

    panel = "output"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The newest lines, or those that were scrolled to."""
        return output.draw(snapshot, frame)
