"""The panels that are read: Loss, Source, Output."""

from __future__ import annotations

from stepdbg.protocol.messages import ReadSource
from stepdbg.tui.palette import Palette
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views import loss, output, source
from stepdbg.tui.views.lines import Drawing, Frame, Glyphs
from stepdbg.tui.wants import Want
from stepdbg.tui.widgets.panel import Copied, Panel


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


class SourcePanel(Panel):
    """Panel 6: the user's code; it follows the stops."""

    panel = "source"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The file with its margin."""
        return source.draw(snapshot, frame)

    def took(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """A new place brings its line into view, with some lines around it."""
        where = source.place(snapshot.stop)
        if where is None:
            return
        had = before is not None and where[0] in before.sources
        if before is not None and had and source.place(before.stop) == where:
            return
        if where[0] in snapshot.sources:
            self.total = max(self.total, where[1])
            self.cursor = where[1] - 1
            if not self.top + 2 <= self.cursor < self.top + self.body_rows - 2:
                self.top = max(0, self.cursor - self.body_rows // 2)

    def wants(self, snapshot: Snapshot) -> list[Want]:
        """The text of the file."""
        where = source.place(snapshot.stop)
        return [Want("source", ReadSource(where[0]), where[0])] if where else []


class OutputPanel(Panel):
    """Panel 7: what the script prints; it follows the end until it is scrolled away from it."""

    panel = "output"
    of_the_moment = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.follows = True

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The newest lines, or those that were scrolled to."""
        return output.draw(snapshot, frame)

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
