"""Panel 6: the code of the frame that is looked at, with the frames and its variables below."""

from __future__ import annotations

from stepdbg.protocol.messages import ListLocals, Local, ReadSource
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.source import variables
from stepdbg.tui.panels.source import view as source
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.answers import SOURCE
from stepdbg.tui.state.line_breakpoints import line_without_code, written
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.selection import Editable
from stepdbg.tui.state.snapshot import Snapshot


class SourcePanel(Panel):
    """It follows the stops and the frame that is chosen. The cursor is on the code or, after `L`, on the variables."""

    panel = "source"

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.on_variables = False
        """Whether the keys go to the variables."""
        self._row = self._top_row = 0
        self._room = 0
        """Rows of variables that fit, as last drawn."""

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The file with its margin, above the frames and the variables."""
        below = variables.height_of(snapshot, frame.height)
        self._room = max(0, below - 1)
        self._keep_in_view(len(variables.rows(snapshot)))
        if self.on_variables and self.in_focus:
            frame = frame._replace(focused=False)
        code = source.draw(snapshot, frame._replace(height=frame.height - below))
        cursor = variables.Cursor(self._row, self._top_row, self.on_variables and self.in_focus)
        return code._replace(foot=variables.draw(snapshot, frame.width, below, cursor, frame.glyphs))

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """A new place brings its line into view, with some lines around it."""
        where = source.place(snapshot)
        if where is None:
            return
        if before is None or frames.chosen(before) != frames.chosen(snapshot):
            self._row = self._top_row = 0
        had = before is not None and where[0] in before.sources
        if before is not None and had and source.place(before) == where:
            return
        if where[0] in snapshot.sources:
            self.total = max(self.total, where[1])
            self.cursor = where[1] - 1
            height = self.room.height - 1
            rows = max(1, height - variables.height_of(snapshot, height))
            if not self.top + 2 <= self.cursor < self.top + rows - 2:
                self.top = max(0, self.cursor - rows // 2)

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The text of the file, and the variables."""
        where = source.place(snapshot)
        found = [PanelQuery(SOURCE, ReadSource(where[0]), where[0])] if where else []
        if snapshot.paused and not snapshot.looking_back:
            found.append(PanelQuery(variables.LOCALS, ListLocals(frames.chosen(snapshot)), snapshot.boundary))
        return found

    def phase(self) -> str | None:
        """The phase of the line under the cursor."""
        return source.phase_at(self.snapshot, self.cursor) if self.snapshot and not self.on_variables else None

    def line(self) -> tuple[str, int] | None:
        """The file, as the user would write it, and the number of the line under the cursor."""
        where = source.place(self.snapshot) if self.snapshot else None
        if self.snapshot is None or where is None or self.on_variables:
            return None
        return written(self.snapshot, where[0]), self.cursor + 1

    def no_line(self) -> str:
        """Where there is no code at the line under the cursor; the nearest line that has some is named."""
        frame = frames.chosen_frame(self.snapshot) if self.snapshot is not None else None
        if frame is not None and frame.library and not self.on_variables:
            return "this file is a library's; training is stopped at lines of your own code"
        where, here = source.place(self.snapshot) if self.snapshot else None, self.line()
        text = self.snapshot.sources.get(where[0]) if self.snapshot is not None and where is not None else None
        return line_without_code(text.text, here[1]) if text is not None and here is not None else ""

    # the variables

    def switch(self) -> None:
        """Put the cursor on the variables, or back on the code."""
        self.on_variables = not self.on_variables
        self.repaint()

    def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """A variable was clicked."""
        if isinstance(event.target, variables.VariableTarget):
            event.stop()
            self.on_variables, self._row = True, event.target.row
            self.repaint()

    def editable(self) -> Editable | None:
        """The variable under the cursor: a tensor is written to, anything else is bound anew."""
        rows = self._variables()
        if not self.on_variables or self.snapshot is None or self.snapshot.looking_back or self._row >= len(rows):
            return None
        row = rows[self._row]
        if row.object:
            return Editable(row.object)
        return Editable(row.name, sliceable=False, frame=frames.chosen(self.snapshot))

    def chosen(self) -> str:
        """The tensor that the variable under the cursor holds."""
        rows = self._variables()
        return rows[self._row].object if self.on_variables and self._row < len(rows) else ""

    def watchable(self) -> str:
        """The variable under the cursor; of a tensor of several elements its norm."""
        rows = self._variables()
        if not self.on_variables or self._row >= len(rows):
            return ""
        row = rows[self._row]
        return f"norm({row.name})" if row.shape not in (None, ()) else row.name

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor, wherever it is."""
        if self.on_variables:
            self._row = max(0, min(self._row + rows, len(self._variables()) - 1))
            self.repaint()
        else:
            super().move(rows, columns)

    def page(self, pages: int) -> None:
        """Move by what fits."""
        self.move(pages * max(1, (self._room if self.on_variables else self.body_rows) - 1))

    def go_to(self, end: int) -> None:
        """Move the cursor to the first row (0) or the last (-1)."""
        if self.on_variables:
            self.move(-self._row if end == 0 else len(self._variables()))
        else:
            super().go_to(end)

    def row_clicked(self, row: int) -> None:
        """A line of code was clicked."""
        self.on_variables = False
        super().row_clicked(row)

    def _variables(self) -> tuple[Local, ...]:
        return variables.rows(self.snapshot) if self.snapshot else ()

    def _keep_in_view(self, number: int) -> None:
        self._row = max(0, min(self._row, number - 1))
        self._top_row = min(self._top_row, self._row, max(0, number - self._room))
        if self._row >= self._top_row + self._room:
            self._top_row = self._row - self._room + 1
