"""The panels that are read: Loss, Output."""

from __future__ import annotations

from stepdbg.protocol.messages import ReadHistory
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panel_base.reading import Reading
from stepdbg.tui.panels.text import history, loss, output
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.selection import Copied
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.watched import watch_of


class LossPanel(Panel):
    """Panel 5: the chart."""

    panel = "loss"
    of_the_moment = False

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.logarithmic = False
        """Whether the vertical axis is logarithmic."""
        self.object = ""
        """The parameter whose history is shown; empty while the losses are."""

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The chart."""
        if self.object:
            return history.draw(snapshot, frame, self.object, log=self.logarithmic)
        return loss.draw(snapshot, frame, log=self.logarithmic)

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The history of the parameter, where that is shown."""
        if not self.object or not snapshot.paused or snapshot.looking_back:
            return []
        return [PanelQuery(history.HISTORY, ReadHistory(self.object), snapshot.boundary)]

    def showing(self) -> str:
        """Whether it is a parameter's history."""
        return "history" if self.object else ""

    def show_history(self, name: str) -> None:
        """Show what has become of a parameter."""
        self.object = name
        self.moved()

    def show_losses(self) -> None:
        """Show the losses again."""
        self.object = ""
        self.moved()

    def show_first(self) -> None:
        """The losses."""
        self.show_losses()

    def tensor_at_hand(self) -> str:
        """The parameter whose history is shown."""
        return self.object

    def switch_axis(self) -> None:
        """Have the vertical axis logarithmic, or linear again."""
        self.logarithmic = not self.logarithmic
        self.repaint()

    def watchable(self) -> str:
        """The loss, or the norm of the gradient whose history is shown."""
        return watch_of(f"{self.object}.grad", self.snapshot) if self.object and self.snapshot else "loss"

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
