"""Panel 3: a cursor over the matrix of effects, the names behind a cell, and who owns a tensor."""

from __future__ import annotations

from typing import Literal

from textual import events

from stepdbg.protocol.messages import Identify, Kind, ListEffects, ListObjects
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.effects import matrix as effects
from stepdbg.tui.panels.effects import names as effect_names
from stepdbg.tui.panels.effects import owners as identity
from stepdbg.tui.panels.effects import phase_rows
from stepdbg.tui.state.answers import IDENTITY, OVERVIEW
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.words import inside_phase as inner

IDENTITY_ROWS = 12
"""Lines below the matrix from which on a tensor's owners are shown there, instead of in the matrix's place."""


class EffectsPanel(Panel):
    """Phases × kinds of object."""

    panel = "effects"

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.view: Literal["matrix", "names", "identity", "inner"] = "matrix"
        self.kind: Kind = "parameter"
        """The column of the matrix that the cursor is on."""
        self.object = ""
        """The tensor whose owners are shown."""
        self._left: tuple[str, Literal["matrix", "names", "inner"], int, int] | None = None
        """What was left for the owners: the panel that had the focus, and the view here with its cursor and top."""
        self._row = 0
        """The row of the matrix, while another view has the cursor."""
        self._asked: ListEffects | None = None
        """The question for names that stands."""
        self._roomy = False
        """Whether the owners have room below the matrix."""

    # what it shows

    def showing(self) -> str:
        """The view that keys are for; owners shown below the matrix leave the keys to the matrix."""
        return "matrix" if self.view == "identity" and self._roomy else self.view

    def selected_view(self) -> str:
        """The view that was chosen: `identity` also where the owners stand below the matrix."""
        return self.view

    def show_matrix(self) -> None:
        """Show the matrix again, in place of the names or the owners."""
        self._left = None
        if self.view != "matrix":
            roomy = self.showing() == "matrix"
            self.view = "matrix"
            if not roomy:
                self.cursor, self.top = self._row, 0
            self.moved()

    @property
    def came_from(self) -> str:
        """The panel that the owners were asked from; empty where they were not, or have been gone away from."""
        return self._left[0] if self._left is not None else ""

    def go_back(self) -> str:
        """Back to what was left for the owners, or from the names to the matrix.

        Returns:
            The panel that the focus came from; empty where it was this one.
        """
        left, self._left = self._left, None
        if left is None or left[1] == "matrix":
            self.show_matrix()
        else:
            _, self.view, self.cursor, self.top = left
            self.moved()
        return left[0] if left is not None and left[0] != self.panel else ""

    def show_first(self) -> None:
        """Show the matrix; at an inner stop show the tensors that it is about, and, once there, both by turns."""
        stop = self.snapshot.stop if self.snapshot is not None else None
        if stop is None or stop.inner is None or (self.view == "inner" and self.in_focus):
            self.show_matrix()
            return
        self._row, self._left, self.view = self._matrix_row(), None, "inner"
        self.cursor = self.top = 0
        self.moved()

    def list_names(self) -> None:
        """Show the names behind the cell under the cursor or, where that is empty, the nearest filled one of its row.

        Of what is nowhere in the row there is nothing to list, and the panel says so.
        """
        self._row, self.view = self._matrix_row(), "names"
        if self.snapshot is not None:
            self.kind = phase_rows.nearest_counted(self._named_row(self.snapshot).box, self.kind)
        self.cursor = self.top = 0
        self.moved()

    def identify(self, name: str, came_from: str = "") -> None:
        """Show who owns a tensor; the panel that this is asked from is come back to."""
        self.object = name
        if self.view != "identity":
            self._left = (came_from or self.panel, self.view, self.cursor, self.top)
        elif came_from not in ("", self.panel):
            self._left = (came_from, "matrix", self._row, 0)
        if self.view != "identity":
            self._row, self.view = self._matrix_row(), "identity"
            if self._roomy:
                self.cursor = self._row
            else:
                self.cursor = self.top = 0
        self.moved()

    def _matrix_row(self) -> int:
        return self.cursor if self.showing() == "matrix" else self._row

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """At another stop the cursor is on the phase just done, in a column that it did something to."""
        if before is not None and before.stop is not None and before.boundary == snapshot.boundary:
            return
        was_inside = before is not None and before.stop is not None and before.stop.inner is not None
        inside = snapshot.stop is not None and snapshot.stop.inner is not None
        if self.view == "names" or (self.view == "inner" and not inside):
            self.view, self.top = "matrix", 0
        elif self._left is not None and self._left[1] != "matrix":  # of another stop than the list that was left
            self._left = (self._left[0], "matrix", 0, 0)
        if inside and self.view == "matrix" and not was_inside:
            self.view = "inner"
        if self.view == "inner":
            self.cursor = self.top = 0
        self._row = phase_rows.row_done(snapshot)
        found = phase_rows.rows(snapshot)
        if self.showing() == "matrix":
            self.cursor, self.total = self._row, len(found)  # known before it is drawn: keys may come ahead of that
        if found:
            box = found[self._row].box
            told = [kind for kind in phase_rows.KINDS if phase_rows.cell(box, kind)]
            if told and self.kind not in told:
                self.kind = told[0]

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The matrix, the names or the owners."""
        roomy = effects.room_beneath(snapshot, frame) >= IDENTITY_ROWS
        if roomy != self._roomy:
            self.call_later(self.moved)  # the owners are, or are not, to be asked for
            if self.view == "identity":
                self.cursor = self._row if roomy else 0
                frame = frame._replace(cursor=self.cursor)
        self._roomy = roomy
        if self.view == "inner" and snapshot.stop is not None and snapshot.stop.inner is not None:
            return inner.draw(snapshot, frame)
        if self.view == "names":
            return effect_names.draw(snapshot, frame, self._named_row(snapshot), self.kind)
        if self.showing() == "identity":
            return identity.draw(snapshot, frame, self._owned(snapshot))
        beneath = identity.lines(snapshot, frame, self._owned(snapshot)) if self._roomy and snapshot.stop else ()
        return effects.draw(snapshot, frame, self.kind, beneath)

    def _owned(self, snapshot: Snapshot) -> str:
        """The tensor whose owners are shown: the first parameter, until another one is chosen."""
        return self.object or snapshot.leading

    def _named_row(self, snapshot: Snapshot) -> phase_rows.Row:
        found = phase_rows.rows(snapshot)
        return found[min(self._row, len(found) - 1)]

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The names of an earlier phase under the cursor, and the owners of the tensor where they are shown."""
        stop = snapshot.stop
        if stop is None or not snapshot.paused:
            return []
        wants = [PanelQuery(OVERVIEW, ListObjects(count=0), stop.registry)]
        found = phase_rows.rows(snapshot)
        row = found[min(self._matrix_row(), len(found) - 1)] if found else None
        if row is not None and row.asked is not None and row.box.record is not None and row.box.record.effects:
            wants.append(PanelQuery(phase_rows.PHASE, row.asked, snapshot.boundary))
        if row is not None and (window := self._window(snapshot, row)) is not None:
            wants.append(PanelQuery(effect_names.EFFECT_NAMES, window, snapshot.boundary))
        name = self._owned(snapshot)
        if name and (self.view == "identity" or self._roomy):
            wants.append(PanelQuery(IDENTITY, Identify(name), snapshot.boundary))
        return wants

    def _window(self, snapshot: Snapshot, row: phase_rows.Row) -> ListEffects | None:
        """What is to be asked for the names in view, with a margin around them; None where nothing is."""
        if self.view != "names" or row.box.record is None:
            return None
        known = effect_names.names(snapshot, row, self.kind)
        if not known.boundary:
            return None
        asked = self._asked
        wanted = known.boundary, self.kind, row.after, row.before
        stands = asked is not None and (asked.boundary, asked.kind, asked.after, asked.before) == wanted
        if not stands or (known.effects and not known.know(self.top, self.body_rows)):
            first, rows = max(0, self.top - self.body_rows), 3 * self.body_rows
            self._asked = ListEffects(known.boundary, self.kind, first, rows, row.after, row.before)
        return self._asked

    # the cursor

    def chosen(self) -> str:
        """The object under the cursor of the list of names, or of the table of an inner stop."""
        stop = self.snapshot.stop if self.snapshot is not None else None
        if self.view == "inner" and stop is not None and stop.inner is not None:
            return stop.inner.tensors[self.cursor].object if self.cursor < len(stop.inner.tensors) else ""
        if self.view != "names" or self.snapshot is None:
            return ""
        here = effect_names.names(self.snapshot, self._named_row(self.snapshot), self.kind).at(self.cursor)
        return here.object if here is not None else ""

    def tensor_at_hand(self) -> str:
        """The object under the cursor, the first behind the count under it, or the one whose owners were shown last."""
        if self.view in ("names", "inner") or self.snapshot is None:
            return self.chosen()
        if self.showing() == "matrix" and self.snapshot.stop is not None and phase_rows.rows(self.snapshot):
            here = phase_rows.rows(self.snapshot)
            row = here[min(self._matrix_row(), len(here) - 1)]
            stop = phase_rows.stop_after(self.snapshot, row) if row.box.record is not None else None
            named = stop.effects.named if stop is not None and stop.effects is not None else ()
            if (first := next((one.object for one in named if one.kind == self.kind), "")) != "":
                return first
        return self._owned(self.snapshot)

    def phase(self) -> str | None:
        """The phase of the matrix's row."""
        found = phase_rows.rows(self.snapshot) if self.snapshot is not None and self.showing() == "matrix" else []
        return found[self.cursor].box.name if self.cursor < len(found) else None

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor over the cells of the matrix, or along the list."""
        if columns and self.showing() == "matrix" and self.snapshot is not None:
            shown = [kind for kind, _, _ in effects.columns(phase_rows.rows(self.snapshot), self.room.width).kinds]
            here = shown.index(self.kind) if self.kind in shown else 0
            self.kind = shown[max(0, min(here + columns, len(shown) - 1))]
        if self.showing() == "identity":
            self.scrolled(rows)
        else:
            super().move(rows)

    def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """A cell of the matrix was clicked; its row is picked as any row is."""
        if isinstance(event.target, effects.KindTarget):
            event.stop()
            self.kind = event.target.kind
            self.moved()

    def on_click(self, event: events.Click) -> None:
        """A second click on a cell lists its names, once the base classes have put the cursor there."""
        if self.showing() == "matrix" and event.chain == 2 and 0 <= event.y - 1 - self._head < self.total:
            self.call_later(self.list_names)
