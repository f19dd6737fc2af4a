"""Panel 1: the tree of modules, parameters and buffers, of which only a window is here; folds, order and filter."""

from __future__ import annotations

from textual import events

from stepdbg.errors import FilterError
from stepdbg.listing.filters import understood
from stepdbg.listing.search import TENSORS
from stepdbg.protocol.messages import ListObjects, ObjectRow, Objects, Order, Summarise
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs, Line
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.model import view as model
from stepdbg.tui.panels.model.filter_input import typed
from stepdbg.tui.panels.model.rows import FoldTarget, SortTarget
from stepdbg.tui.state.answers import OBJECTS, SUMMARIES
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.selection import Copied, Editable
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.subject import model_of, moved_to


class ModelPanel(Panel):
    """The rows stay with the training process, which sends those in view and a margin around them."""

    panel = "model"
    shows_answers = True

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.filter = ""
        """What is filtered by."""
        self.order: Order = "tree"
        self._typed: str | None = None
        """What is being typed; None while nothing is."""
        self._problem = ""
        """Why that is no filter."""
        self._base = "auto"
        self._toggled: frozenset[str] = frozenset()
        self._query: ListObjects | None = None
        """The newest question for rows; None before the first."""
        self._stood_for: object = None
        """The filter, order, folds, set of objects and rank that `_query` was made for."""
        self._missed: tuple[Objects | None, int, int] = (None, 0, 0)
        """What was in view when rows were last found to be missing."""
        self._placed = True
        """Whether the cursor has gone to the row that the answer to the question names."""
        self._wanted = ""
        """The name of the row that the cursor is to go to; empty where it stays."""
        self._left_at: dict[str, str] = {}
        """The row that the cursor was on, of each model that it was led away from."""
        self._anew = False
        """Whether the rows are listed in another order, whose first is to be seen."""

    # what is shown

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The tree, or what was searched."""
        listing = model.Listing(self.order, self.filter, self._typed, self._problem)
        return model.draw(snapshot, frame, listing)

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """The cursor stays on its object when rows come and go; at first it is on the first tensor. Of several models
        it goes to the one that the phase just done was about.
        """
        known = snapshot.answer(OBJECTS)
        fresh = before is not None and before.boundary != snapshot.boundary and snapshot.past_at is None
        if fresh and known is not None and not self.filter and self.order == "tree":
            here = model.row_at(known, self.cursor)
            self._wanted = self.led_to(snapshot, here.name if here is not None else "")
        old = before.answer(OBJECTS) if before is not None else None
        if known is None or known is old:
            return
        if not self._placed and known.place >= 0:
            self.cursor = known.place
            if self.filter:  # the module that the tensor is in is there for others
                below = known.rows[max(0, known.place - known.first) :]
                self.cursor += next((step for step, row in enumerate(below) if row.node in TENSORS), 0)
        elif old is None and self.cursor:
            return
        elif not self._placed or old is None or self.cursor >= model.total_of(known) or self._typed_past(known):
            rows = known.rows if known.first == 0 else ()
            self.cursor = next((place for place, row in enumerate(rows) if row.node in TENSORS), 0)
        self.total = model.total_of(known)
        if not self._placed:
            self._placed = True
            self.top = self.kept_in_view()

    def led_to(self, snapshot: Snapshot, here: str) -> str:
        """The row to go to where the stop is about another model: the one that the cursor was on there, if it was."""
        there = moved_to(snapshot, here)
        if not there:
            return ""
        self._left_at[model_of(here, snapshot)] = here
        return self._left_at.get(model_of(there, snapshot), there)

    def _typed_past(self, known: Objects) -> bool:
        """Whether letters typed since these rows were asked for have left the cursor on no tensor."""
        here = model.row_at(known, self.cursor)
        return self.typing and (here is None or here.node not in TENSORS)

    def lines(self, width: int, height: int) -> list[Line]:
        """The lines of any panel; rows that have come into view meanwhile are asked for."""
        drawn = super().lines(width, height)
        snapshot = self.snapshot
        if snapshot is not None and snapshot.paused and not snapshot.looking_back:
            missing = (snapshot.answer(OBJECTS), self.top, self.body_rows)
            if missing != self._missed and not all(model.rows_from(*missing)):
                self._missed = missing
                self.post_message(self.CursorMoved(self))
        return drawn

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The rows when they have become others, and figures of those in view."""
        stop = snapshot.stop
        if stop is None or not snapshot.paused:
            return []
        moves = self.order not in ("tree", "name", "size") or understood(self.filter).moves
        holds_for = (stop.registry, snapshot.boundary if moves else None)
        found = [PanelQuery(OBJECTS, self._question(snapshot, holds_for), holds_for)]
        if names := model.visible_tensors(snapshot, self.top, self.body_rows):
            found.append(PanelQuery(SUMMARIES, Summarise(names), snapshot.boundary))
        return found

    def _question(self, snapshot: Snapshot, holds_for: object) -> ListObjects:
        """The question that was asked last, for as long as its answer has the rows in view; else the next one."""
        known = snapshot.answer(OBJECTS)
        standing = (self.filter, self.order, self._base, self._toggled, holds_for, snapshot.rank)
        here = model.row_at(known, self.cursor)
        around = ""
        if self._query is not None and standing == self._stood_for and not self._wanted:
            if known is None or not self._placed or all(model.rows_from(known, self.top, self.body_rows)):
                return self._query
        elif known is not None:
            around = here.name if here is not None and not self._anew else ""
            self._placed = False
        if self._wanted:
            around, self._wanted, self._placed = self._wanted, "", False
        if self._anew:
            self.cursor = self.top = 0
            self._anew = False
        self._stood_for = standing
        self._query = ListObjects(
            self.filter,
            self.order,
            self._base,  # type: ignore[arg-type]
            tuple(sorted(self._toggled)),
            max(0, self.top - self.body_rows),
            3 * self.body_rows,
            around,
        )
        return self._query

    # the cursor

    def here(self) -> ObjectRow | None:
        """The row under the cursor."""
        return model.row_at(self.snapshot.answer(OBJECTS), self.cursor) if self.snapshot is not None else None

    def to_come(self) -> bool:
        """Whether the rows of another filter or order are asked for and not here yet."""
        return not self._placed

    def chosen(self) -> str:
        """The tensor under the cursor."""
        here = self.here()
        return here.name if here is not None and here.node in TENSORS else ""

    def tensor_at_hand(self) -> str:
        """The tensor under the cursor, or the first one below the module that is."""
        known = self.snapshot.answer(OBJECTS) if self.snapshot is not None else None
        below = model.rows_from(known, self.cursor, self.body_rows)
        return next((row.name for row in below if row is not None and row.node in TENSORS), "")

    def selected_object(self) -> str:
        """The tensor under the cursor, or the first one below the module that is; empty where there is none."""
        return self.tensor_at_hand()

    def copied(self) -> Copied | None:
        """The name of the object under the cursor."""
        here = self.here()
        name = here.name.strip() if here is not None else ""
        return Copied("the name", name) if name else None

    def editable(self) -> Editable | None:
        """The whole tensor under the cursor."""
        here = self.here()
        if here is None or here.node not in TENSORS:
            return None
        return Editable(here.name, trained=here.node == "parameter" and here.trainable)

    def module(self) -> str:
        """The module within a model that is under the cursor."""
        here = self.here()
        return here.name if here is not None and here.node == "module" else ""

    def move(self, rows: int, columns: int = 0) -> None:
        """Move up or down; left folds a module or goes to the one around, right unfolds it or goes into it."""
        if columns:
            self._fold_or_leave() if columns < 0 else self._unfold_or_enter()
        else:
            super().move(rows)

    def _fold_or_leave(self) -> None:
        here = self.here()
        if here is None:
            return
        if here.node not in TENSORS and not here.folded and not self.filter:
            self.toggle(here.name)
            return
        known = self.snapshot.answer(OBJECTS) if self.snapshot is not None else None
        rows = [model.row_at(known, place) for place in range(self.cursor)]
        around = [place for place, row in enumerate(rows) if row is not None and row.depth < here.depth]
        if around:
            self.cursor = around[-1]
            self.moved()

    def _unfold_or_enter(self) -> None:
        here = self.here()
        if here is not None and here.node not in TENSORS:
            if here.folded:
                self.toggle(here.name)
            else:
                self.move(1)

    # folds and order

    def toggle(self, name: str) -> None:
        """Fold a module, or unfold it."""
        if not self.filter and self.order == "tree":
            self._toggled ^= {name}
            self.moved()

    def fold(self) -> None:
        """The module under the cursor."""
        if (here := self.here()) is not None:
            self.toggle(here.name)

    def fold_all(self, *, fold: bool) -> None:
        """Fold or unfold all modules."""
        self._base, self._toggled = "closed" if fold else "open", frozenset()
        self.moved()

    def sort(self, order: str = "") -> None:
        """By that; if it is so already, as the modules hold them. With nothing said by the next of all orders."""
        orders = list(model.ORDERS)
        wanted = order or orders[(orders.index(self.order) + 1) % len(orders)]
        self.order = next((one for one in orders if one == wanted and wanted != self.order), "tree")
        self._anew = self.order != "tree"
        self.moved()

    def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """The sign of a module, or the heading of a column, was clicked."""
        match event.target:
            case FoldTarget(module=name):
                event.stop()
                self.toggle(name)
            case SortTarget(order=order):
                event.stop()
                self.sort(order)

    def offers(self) -> frozenset[str]:
        """What the row under the cursor and the state of the filter allow."""
        found = super().offers()
        here = self.here()
        if here is not None and here.node not in TENSORS and not self.filter and self.order == "tree":
            found |= {"fold"}
        if self.order == "tree" and not self.filter:
            found |= {"fold_all", "unfold_all"}
        return found | {"find_clear"} if self.filter or self.typing else found

    # the filter

    @property
    def typing(self) -> bool:
        """Whether a filter is being typed."""
        return self._typed is not None and self.has_focus

    def find(self) -> None:
        """Begin to type a filter, or go on with the one that holds."""
        self._typed = self.filter
        self.moved()

    def find_done(self) -> None:
        """What was typed holds."""
        self._typed, self._problem = None, ""
        self.moved()

    def find_clear(self) -> None:
        """Show all again; the cursor stays on its tensor."""
        self._typed, self._problem, self.filter = None, "", ""
        self.moved()

    def _type(self, line: str) -> None:
        self._typed = line
        try:
            understood(line)
        except FilterError as error:
            self._problem = str(error)
        else:
            self._problem, self.filter = "", " ".join(line.split())
        self.moved()

    async def _on_key(self, event: events.Key) -> None:
        if self._typed is None:
            return
        moves = {"up": -1, "down": 1, "pageup": -self.body_rows, "pagedown": self.body_rows}
        if (line := typed(self._typed, event.key, event.character)) is not None:
            self._type(line)
        elif event.key in moves:
            super().move(moves[event.key])
        else:
            return
        event.stop()
        event.prevent_default()

    def _on_paste(self, event: events.Paste) -> None:
        if self._typed is not None:
            event.stop()
            self._type(self._typed + " ".join(event.text.split()))

    def on_click(self, event: events.Click) -> None:
        """A second click on a module folds it. (Textual calls the handlers of the base classes as well.)"""
        row = event.y - 1 - self._head
        if event.chain == 2 and 0 <= row < self.body_rows and "fold" in self.offers():
            self.fold()

    def on_blur(self) -> None:
        """What was typed holds."""
        self._typed, self._problem = None, ""
