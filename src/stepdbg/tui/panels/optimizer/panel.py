"""Panel 4: groups, hyperparameters and the state table; and what the next step would do to one parameter."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages import Foresee, ListOptimizers
from stepdbg.tui.drawing.lines import UNICODE, Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.optimizer import next_step as foresight
from stepdbg.tui.panels.optimizer import view as optimizer
from stepdbg.tui.panels.optimizer.view import CellTarget, ConstantsTarget
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.selection import Copied, Editable
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.watched import watch_of

ROOMY = 26
"""Rows from which on the foresight has a place below the list."""
BENEATH = 12
"""Rows of that place."""


class OptimizerPanel(Panel):
    """A list under a cursor, or the foresight for one parameter."""

    panel = "optimizer"
    shows_answers = True

    def __init__(self, palette: Palette, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette, glyphs)
        self.view: Literal["list", "foresight"] = "list"
        self.object = ""
        """The parameter whose next step is shown; empty for the first of the state table."""
        self._row = 0
        """The row of the list that the cursor left for the next step's lines."""
        self._roomy = False
        self._unfolded: frozenset[str] = frozenset()
        """The groups whose constants have rows."""
        self.column = 0
        """The cell of the state table's row: the parameter, its gradient, the entries of its state."""

    # what it shows

    def showing(self) -> str:
        """The view that is shown: `list` or `foresight`."""
        return self.view

    def foresee(self, name: str) -> None:
        """What step would do to that parameter."""
        if self.view == "list":
            self._row = self.cursor
        self.object, self.view = name, "foresight"
        self.cursor = self.top = 0
        self.moved()

    def subject(self) -> str:
        """The parameter whose next step is shown, or would be."""
        return self._foreseen(self.snapshot) if self.snapshot is not None else ""

    def show_list(self) -> None:
        """Show groups and state table again."""
        if self.view == "foresight":
            self.view, self.cursor, self.top = "list", self._row, 0
            self.moved()

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """Groups and state table, the foresight, or both."""
        name = self._foreseen(snapshot)
        frame = frame._replace(column=self.column)
        if self.view == "foresight":
            return foresight.draw(snapshot, frame, name)
        roomy = frame.height >= ROOMY and bool(name)
        if roomy != self._roomy:
            self._roomy = roomy
            self.call_later(self.moved)  # the foresight is, or is not, to be asked for
        if not roomy:
            return optimizer.draw(snapshot, frame, self._unfolded)
        foot = foresight.beneath(snapshot, frame, name, BENEATH)
        above = frame._replace(height=frame.height - len(foot))
        return optimizer.draw(snapshot, above, self._unfolded)._replace(foot=foot)

    def _foreseen(self, snapshot: Snapshot) -> str:
        """The parameter of the state table under the cursor, or the one that was chosen last, or the first."""
        if self.view == "list" and (chosen := self.chosen()):
            self.object = chosen
        known = optimizer.optimizers_of(snapshot)
        return self.object or next((row.parameter for one in known for row in one.state_table), "")

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """Put the cursor on the first figure that can be edited, when the first answer is here."""
        fresh = before is None or before.answer(optimizer.OPTIMIZERS) is None
        if snapshot.answer(optimizer.OPTIMIZERS) and fresh and not self.cursor:
            rows = optimizer.items(snapshot, self._unfolded)
            row = next((index for index, item in enumerate(rows) if item.editable), 0)
            if self.view == "list":
                self.cursor = row
            else:
                self._row = row

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The question for all optimizers, at every stop, and the one for the next step where that is shown."""
        if not snapshot.paused:
            return []
        found = [PanelQuery(optimizer.OPTIMIZERS, ListOptimizers(), snapshot.boundary)]
        name = self._foreseen(snapshot)
        if name and (self.view == "foresight" or self._roomy):
            found.append(PanelQuery(foresight.FORESIGHT, Foresee(name, self._element(name)), snapshot.boundary))
        return found

    def _element(self, name: str) -> tuple[int, ...] | None:
        """The element under the cursor of the Tensor panel, if it is of that parameter."""
        target = self.element_at_hand()
        return target.element if target is not None and target.object == name else None

    # the cursor

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor over the list, or scroll the lines of the next step."""
        if self.view == "foresight":
            self.scrolled(rows)
            return
        item = self._item()
        last = 1 + len(optimizer.widths(self.frame(*self.size), item.keys, item.several).states) if item else 0
        self.column = max(0, min(self.column + columns, last)) if item and item.kind == "state" else self.column
        super().move(rows)

    def offers(self) -> frozenset[str]:
        """The constants of a group can be folded."""
        item = self._item()
        return super().offers() | ({"fold"} if item is not None and item.kind == "constants" else set())

    def fold(self, name: str = "") -> None:
        """Show the constants of the group under the cursor, or of the one named, or fold them away."""
        item = self._item()
        name = name or (item.object if item is not None and item.kind == "constants" else "")
        if name:
            self._unfolded ^= {name}
            self.moved()

    def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """A cell of the table of states was clicked, whose row is picked as any row is, or the constants of a group."""
        match event.target:
            case CellTarget(column=column):
                event.stop()
                self.column = column
                self.moved()
            case ConstantsTarget(group=group):
                event.stop()
                self.fold(group)

    def _item(self) -> optimizer.Item | None:
        rows = optimizer.items(self.snapshot, self._unfolded) if self.snapshot and self.view == "list" else []
        return rows[self.cursor] if self.cursor < len(rows) else None

    def chosen(self) -> str:
        """The parameter of the state table's row, or the one whose step is shown."""
        if self.view == "foresight":
            return self.object
        item = self._item()
        return item.object if item and item.kind == "state" else ""

    def tensor_at_hand(self) -> str:
        """The parameter of the state table's row, or the one that was chosen last."""
        return self.chosen() or self.subject()

    def copied(self) -> Copied | None:
        """The value of the hyperparameter, or the name of the parameter in the state table."""
        item = self._item()
        if item is not None and item.kind == "hyperparameter":
            return Copied(item.words, item.value)
        return Copied("the name", item.object) if item is not None and item.object else super().copied()

    def watchable(self) -> str:
        """The hyperparameter under the cursor, or the norm of what the cell of the state table stands for."""
        item = self._item()
        if item is not None and item.kind == "hyperparameter":
            return item.object
        cell = optimizer.cell_object(item, self.column) if item is not None and item.kind == "state" else ""
        return watch_of(cell or self.chosen(), self.snapshot) if self.snapshot is not None else ""

    def editable(self) -> Editable | None:
        """The hyperparameter under the cursor, or what the cell of the state table stands for."""
        item = self._item()
        if item is not None and item.kind == "state" and (name := optimizer.cell_object(item, self.column)):
            missing = name == f"{item.object}.grad" and item.row is not None and not item.row.has_grad
            return Editable(name, sliceable=not missing, missing=missing)
        if item is None or not item.editable:
            return None
        return Editable(item.object, None if item.element is None else (item.element,), sliceable=False)
