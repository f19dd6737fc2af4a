"""Panel 2: a cursor over the numbers of one tensor, and which part of it is shown."""

from __future__ import annotations

from stepdbg.protocol.messages import LookAt
from stepdbg.tui.palette import Palette
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views import tensor
from stepdbg.tui.views.lines import Drawing, Frame, Glyphs
from stepdbg.tui.wants import Want
from stepdbg.tui.widgets.panel import Editable, Panel


class TensorPanel(Panel):
    """The selected tensor, its gradient and its optimizer state."""

    panel = "tensor"

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.object = ""
        """The object that is looked at."""
        self.part = "value"
        """The label of the part whose numbers are shown."""
        self.left = 0
        """The first column in view."""
        self.column = 0
        """The column of the cursor."""
        self._columns = 1

    def look_at(self, name: str) -> None:
        """Show another object."""
        if name != self.object:
            self.object, self.part = name, "value"
            self.top = self.cursor = self.left = self.column = 0
        self.moved()

    def show_part(self, label: str) -> None:
        """Show the numbers of another part."""
        self.part = label
        self.moved()

    def next_part(self) -> None:
        """Value, gradient, state entries, and round again."""
        labels = self._labels()
        if labels:
            self.show_part(labels[(labels.index(self.part) + 1) % len(labels)] if self.part in labels else labels[0])

    def _labels(self) -> list[str]:
        view = self.snapshot.tensor if self.snapshot else None
        return [part.label for part in view.parts] if view else []

    def _part_object(self, snapshot: Snapshot) -> str:
        for part in snapshot.tensor.parts if snapshot.tensor else ():
            if part.label == self.part:
                return part.object
        return self.object

    def took(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """At first the first parameter is shown; a part that has gone (a freed gradient) gives way to the value."""
        if not self.object and snapshot.objects is not None:
            self.object = next((row.name for row in snapshot.objects.rows if row.node == "parameter"), "")
        view = snapshot.tensor
        if view is not None and view.object == self.object and self.part not in [part.label for part in view.parts]:
            self.part = "value"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The table of parts, the histogram, the numbers."""
        drawing = tensor.draw(snapshot, frame, self.part, self.cursor, self.column)
        shown = snapshot.tensor if self.part == "value" else snapshot.part
        window = shown.window if shown else None
        self._columns = window.total_columns if window else 1
        return drawing

    def _grid(self, snapshot: Snapshot | None) -> tensor.Grid:
        view = snapshot.tensor if snapshot else None
        shown = view if self.part == "value" or snapshot is None else snapshot.part
        total = shown.window.total_rows if shown and shown.window else 1
        width, height = self.size
        return tensor.grid(Frame(width, height - 1), len(view.parts) if view else 1, total)

    def wants(self, snapshot: Snapshot) -> list[Want]:
        """The figures of all parts, and the window of the one that is shown."""
        if not self.object or not snapshot.paused:
            return []
        if self.part == "value":
            return [Want("tensor", self._look(self.object), snapshot.boundary)]
        return [
            Want("tensor", LookAt(self.object), snapshot.boundary),
            Want("part", self._look(self._part_object(snapshot), statistics=False), snapshot.boundary),
        ]

    def _look(self, name: str, *, statistics: bool = True) -> LookAt:
        grid = self._grid(self.snapshot)
        return LookAt(name, self.top, grid.rows, self.left, grid.columns, statistics, grid.bins)

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor over the numbers; the window follows."""
        self.column = max(0, min(self.column + columns, self._columns - 1))
        across = self._grid(self.snapshot).columns
        if self.column < self.left:
            self.left = max(0, self.column - across + 1) if columns < -1 else self.column
        elif self.column >= self.left + across:
            self.left = self.column - across + 1
        self.cursor = max(0, min(self.cursor + rows, self.total - 1))
        self.top = self.kept_in_view()
        self.moved()

    def on_resize(self, event: object) -> None:
        """Another size shows another window; the cursor stays in it."""
        across = self._grid(self.snapshot).columns
        if self.column >= self.left + across:
            self.left = self.column - across + 1
        self.repaint()
        self.post_message(self.Looked(self))

    def pick_cell(self, row: int, column: int) -> None:
        """A number was clicked."""
        self.cursor, self.column = row, column
        self.moved()

    def picked_row(self, row: int) -> None:
        """Rows are picked by their numbers."""

    def may_edit(self) -> bool:
        """Whatever is selected."""
        return bool(self.object)

    def editable(self) -> Editable | None:
        """The element under the cursor."""
        snapshot = self.snapshot
        shown = None if snapshot is None else (snapshot.tensor if self.part == "value" else snapshot.part)
        if snapshot is None or shown is None or shown.window is None or snapshot.tensor is None:
            return None
        if snapshot.tensor.object != self.object:
            return None  # the answer for the new object is still under way
        return Editable(self._part_object(snapshot), tensor.index_of(shown, self.cursor, self.column))
