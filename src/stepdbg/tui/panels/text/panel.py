"""The panels that are read: Loss, Output."""

from __future__ import annotations

from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panel_base.reading import Reading
from stepdbg.tui.panels.text import loss, output
from stepdbg.tui.state.selection import Copied
from stepdbg.tui.state.snapshot import Snapshot


class LossPanel(Panel):
    """Panel 5: the chart."""

    panel = "loss"
    of_the_moment = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.logarithmic = False
        """Whether the vertical axis is logarithmic."""

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The chart."""
        return loss.draw(snapshot, frame, log=self.logarithmic)

    def switch_axis(self) -> None:
        """Have the vertical axis logarithmic, or linear again."""
        self.logarithmic = not self.logarithmic
        self.repaint()

    def watchable(self) -> str:
        """The loss."""
        return "loss"

    def copied(self) -> Copied | None:
        """The newest loss."""
        series = self.snapshot.losses if self.snapshot is not None else ()
        newest = max((one for one in series if one.points), key=lambda one: one.points[-1].update, default=None)
        if newest is None:
            return None
        return Copied(f"{newest.name} of update {newest.points[-1].update}", repr(newest.points[-1].value))


class OutputPanel(Reading):
    """Panel 7: what the script prints."""

    panel = "output"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The newest lines, or those that were scrolled to."""
        return output.draw(snapshot, frame)
