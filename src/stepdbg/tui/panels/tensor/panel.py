"""Panel 2: a cursor over the numbers of one tensor, and which part of it is shown."""

from __future__ import annotations

import math

from stepdbg.protocol.messages import (
    Condition,
    Pool,
    Side,
    TensorView,
)
from stepdbg.protocol.slices import read, whole, words
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.tensor import heatmap as heat
from stepdbg.tui.panels.tensor import queries
from stepdbg.tui.panels.tensor import view as tensor
from stepdbg.tui.panels.tensor.change import SIDES, change_of
from stepdbg.tui.panels.tensor.conditions import ODD, parsed
from stepdbg.tui.panels.tensor.layout import Layout, Mode, divided, modes
from stepdbg.tui.panels.tensor.slots import MAPS, TENSOR
from stepdbg.tui.panels.tensor.targets import CellTarget, PartTarget, SideTarget
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.selection import Copied, Editable
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.subject import changed_names, moved_to

POOLS: tuple[Pool, ...] = ("mean", "extreme", "element")


class TensorPanel(Panel):
    """The selected tensor, its gradient and its optimizer state."""

    panel = "tensor"
    shows_answers = True
    costly = True

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.object = ""
        """The name of the object that is looked at; empty until one is known."""
        self._by_itself = True
        """Whether the panel has chosen the object itself, since the user has chosen none."""
        self.part = "value"
        """The label of the part whose numbers are shown."""
        self.left = 0
        """The first column in view."""
        self.column = 0
        """The column of the cursor."""
        self.mode: Mode | None = None
        """Numbers, heat maps, both or pictures; None: what suits the tensor and the place."""
        self.pool: Pool = "mean"
        """What a pixel of a heat map shows of the elements that it stands for."""
        self._columns = 1
        self.side: Side = "now"
        """Whether the tensor is shown as it is, as it was before its last change, or as the difference of both."""
        self.where = ""
        """The slice that is shown; empty for the whole."""
        self.marked = ""
        """What is marked, as the user wrote it."""

    def look_at(self, name: str) -> None:
        """Show another object."""
        self._by_itself = False
        if name != self.object:
            self.object, self.part, self.mode, self.where = name, "value", None, ""
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
            here = self.part
            if here not in labels and self.view is not None:  # of an inner stop none is called so
                here = next((part.label for part in self.view.parts if part.object == self.object), here)
            self.show_part(labels[(labels.index(here) + 1) % len(labels)] if here in labels else labels[0])

    def show_side(self, side: Side) -> None:
        """Show the tensor as it is, as it was, or as the difference of both."""
        self.side = side
        self.moved()

    def next_side(self) -> None:
        """Go on from the tensor as it is to the tensor as it was, to the difference, and round again."""
        self.show_side(SIDES[(SIDES.index(self.side_shown()) + 1) % len(SIDES)])

    def side_shown(self, snapshot: Snapshot | None = None) -> Side:
        """The side that can be shown of this part: what no phase has changed is shown as it is."""
        snapshot = snapshot or self.snapshot
        known = change_of(snapshot.answer(TENSOR) if snapshot is not None else None, self.part)
        return self.side if known is not None and not known.problem else "now"

    def mark(self, text: str) -> None:
        """Mark what that says; nothing, if it is empty."""
        self.marked = text
        self.repaint()

    def condition(self) -> Condition:
        """What is marked or, if nothing is, what is worth finding."""
        return parsed(self.marked) if self.marked else ODD

    def whole_shape(self) -> tuple[int, ...]:
        """The shape of the tensor, whatever slice of it is shown."""
        view = self.view
        return () if view is None else view.whole if view.where else view.shape

    def show_slice(self, text: str) -> None:
        """Show a slice; the whole, if it is empty or all."""
        shape = self.whole_shape()
        places = read(text, shape)
        self.where = "" if whole(places, shape) else words(places, shape)
        self.top = self.cursor = self.left = self.column = 0
        self.moved()

    def go_to_element(self, index: tuple[int, ...]) -> None:
        """Put the cursor on an element of the whole tensor."""
        shape = self.whole_shape()
        self.where = ""
        number = 0
        for place, size in zip(index, shape, strict=True):
            number = number * size + place
        self._go_to(number, shape)

    def go_to_number(self, number: int) -> None:
        """Put the cursor on the element of that number of what is shown, in row-major order."""
        if self.view is not None:
            self._go_to(number, self.view.shape)

    def _go_to(self, number: int, shape: tuple[int, ...]) -> None:
        across = max(1, shape[-1] if shape else 1)
        self.total, self._columns = max(1, math.prod(shape[:-1])), across
        self.pick_cell(*divmod(number, across))

    def element_number(self) -> int:
        """The number of the element under the cursor, in row-major order of what is shown."""
        view = self.view
        return self.cursor * (view.shape[-1] if view is not None and view.shape else 1) + self.column

    def elements(self) -> int:
        """The number of elements of what is shown."""
        return math.prod(self.view.shape) if self.view is not None else 0

    def next_mode(self) -> None:
        """Numbers, heat maps, both, pictures where there are some, and round again."""
        if self.view is None:  # its answer is under way
            self.mode = "map"
        else:
            available = modes(self.view)
            self.mode = available[(available.index(self._layout().mode) + 1) % len(available)]
        self.moved()

    def next_pool(self) -> None:
        """Means, extremes, or one element for a pixel."""
        self.pool = POOLS[(POOLS.index(self.pool) + 1) % len(POOLS)]
        self.moved()

    def step_slice(self, step: int) -> None:
        """Show the next (1) or the previous (-1) slice of a heat map, or picture of a batch."""
        layout = self._layout()
        if layout.strip is not None:
            self._to_image(step, layout)
        elif self.view is not None:
            rows = heat.size_of(self.view.shape)[0]
            if 0 <= self.cursor + step * rows < self.total:
                self.cursor += step * rows
                self.top = self.kept_in_view()
                self.moved()

    def _to_image(self, step: int, layout: Layout) -> None:
        assert layout.strip is not None
        images = layout.strip.images
        chosen = max(0, min(self.cursor // images.rows + step, images.number - 1))
        self.cursor, self.column = chosen * images.rows, 0
        self.top = self.kept_in_view()
        self.moved()

    def offers(self) -> frozenset[str]:
        """Maps of more than one number; slices where there are several; means of pixels that stand for several."""
        found = {"map"} if len(modes(self.view)) > 1 else set()
        layout = self._layout()
        slices = heat.slices(self.view.shape) if self.view is not None else 0
        if (layout.strip.images.number if layout.strip is not None else slices) > 1:
            found |= {"slice_previous", "slice_next"}
        maps = self.snapshot.answer(MAPS) if self.snapshot is not None else None
        averaged = maps is not None and (maps.block_rows, maps.block_columns) != (1, 1)
        if layout.maps is not None and (averaged or self.pool == "element"):
            found.add("pool")
        if self.view is not None and self.snapshot is not None and self.snapshot.past_at is None:
            found |= {"jump", "mark"} if self.snapshot.paused and not self.snapshot.looking_back else set()
            known = change_of(self.view, self.part)
            if known is not None and not known.problem:
                found.add("side")
        return frozenset(found) | super().offers()

    @property
    def view(self) -> TensorView | None:
        """The tensor that is looked at, once it is known."""
        view = self.snapshot.answer(TENSOR) if self.snapshot is not None else None
        return view if view is not None and view.object == self.object else None

    def _labels(self, snapshot: Snapshot | None = None) -> list[str]:
        """The labels of all parts, of a gradient that is None as well."""
        snapshot = snapshot or self.snapshot
        view = snapshot.answer(TENSOR) if snapshot else None
        return [part.label for part in heat.parts_of(view)] if view else []

    def _part_object(self, snapshot: Snapshot) -> str:
        view = snapshot.answer(TENSOR)
        for part in heat.parts_of(view) if view is not None else ():
            if part.label == self.part:
                return part.object
        return self.object

    def _follow(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """What came out of one module gives way to what came out of the next."""
        stops = (before.stop if before is not None else None, snapshot.stop)
        old, new = (stop.inner.tensors if stop is not None and stop.inner is not None else () for stop in stops)
        label = next((one.label for one in old if one.object == self.object), "")
        follower = next((one.object for one in new if one.label == label), "")
        if follower and follower != self.object:
            self.object = follower
            self.top = self.cursor = self.left = self.column = 0

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """Show the first parameter at first, and the value in place of a part that has gone."""
        if not self.object:
            self.object = snapshot.leading
        elif self._by_itself and before is not None and before.boundary != snapshot.boundary:
            # The user has chosen none: it is one of the model that the phase was about.
            name = moved_to(snapshot, self.object)
            self.object = name if name in changed_names(snapshot.stop) else self.object
        self._follow(before, snapshot)
        view = snapshot.answer(TENSOR)
        if view is not None and view.object == self.object and self.part not in self._labels(snapshot):
            self.part = "value"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The table of parts, the histogram, the numbers."""
        side, marked = self.side_shown(snapshot), self.condition() if self.marked else None
        drawing = tensor.draw(snapshot, frame, self.part, self.cursor, self.column, self.mode, self.pool, side, marked)
        view = snapshot.answer(TENSOR)
        self._columns = heat.size_of(view.shape)[1] if view is not None else 1
        return drawing

    def position(self) -> str:
        """The rows of numbers in view, or the number of the image under the cursor, in words for the title."""
        layout = self._layout()
        if layout.strip is not None:
            images = layout.strip.images
            return f" {self.cursor // images.rows + 1} of {images.number} "
        return super().position() if layout.rows else ""

    def _layout(self, snapshot: Snapshot | None = None) -> Layout:
        """The division for what is drawn, or for a newer snapshot."""
        snapshot = snapshot or self.snapshot
        view = snapshot.answer(TENSOR) if snapshot else None
        shown = None if snapshot is None else tensor.shown_part(snapshot, self.part)
        total = shown.window.total_rows if shown and shown.window else 1
        width, height = self.size
        frame = Frame(width, height - 1, glyphs=self.glyphs)
        return divided(frame, view, self.part, self.mode, total, self.side_shown(snapshot))

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The figures of all parts, and of the one that is shown what is in view: numbers, maps, pictures."""
        if not self.object or not snapshot.paused:
            return []
        at = queries.Place(
            self.object, self._part_object(snapshot), self.top, self.left, self.cursor, self.column, self.pool,
            self.side_shown(snapshot), self.where,
        )  # fmt: skip
        whole = self.part == "value" or tensor.is_missing(snapshot.answer(TENSOR), self.part)
        return queries.queries(snapshot, at, self._layout(snapshot), whole=whole)

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor over the numbers, pixel by pixel over a map, or from picture to picture."""
        layout = self._layout()
        if layout.strip is not None:
            self._to_image(columns + rows * layout.strip.across, layout)
            return
        maps = self.snapshot.answer(MAPS) if self.snapshot is not None else None
        if layout.mode == "map" and maps is not None:
            rows, columns = rows * maps.block_rows, columns * maps.block_columns
        self.column = max(0, min(self.column + columns, self._columns - 1))
        across = layout.columns
        if self.column < self.left:
            self.left = max(0, self.column - across + 1) if columns < -1 else self.column
        elif self.column >= self.left + across:
            self.left = self.column - across + 1
        self.cursor = max(0, min(self.cursor + rows, self.total - 1))
        self.top = self.kept_in_view()
        self.moved()

    def page(self, pages: int) -> None:
        """By what fits: rows of numbers, the height of a map, a strip of pictures."""
        layout = self._layout()
        if layout.strip is not None:
            self._to_image(pages * layout.strip.number, layout)
        elif layout.rows:
            super().page(pages)
        else:
            self.move(pages * max(1, (layout.maps.rows if layout.maps else 2) - 1))

    def scrolled(self, rows: int) -> None:
        """The wheel: through numbers, slices of a map, pictures."""
        layout = self._layout()
        if layout.rows:
            super().scrolled(rows)
        elif layout.strip is not None:
            self._to_image(layout.strip.across if rows > 0 else -layout.strip.across, layout)
        else:
            self.step_slice(1 if rows > 0 else -1)

    def on_resize(self, event: object) -> None:
        """Keep the cursor in the window of numbers, which is as large as the panel."""
        across = self._layout().columns
        if self.column >= self.left + across:
            self.left = self.column - across + 1

    def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """A part, a side, or an element was clicked."""
        match event.target:
            case PartTarget(label=label):
                event.stop()
                self.show_part(label)
            case SideTarget(side=side):
                event.stop()
                self.show_side(side)
            case CellTarget(row=row, column=column):
                event.stop()
                self.pick_cell(row, column)

    def pick_cell(self, row: int, column: int) -> None:
        """A number, a pixel or a picture was clicked."""
        self.cursor, self.column = row, column
        across = self._layout().columns
        if not self.left <= column < self.left + across:
            self.left = max(0, column - across + 1) if column >= self.left else column
        self.top = self.kept_in_view()
        self.moved()

    def row_clicked(self, row: int) -> None:
        """Rows are picked by their numbers."""

    def tensor_at_hand(self) -> str:
        """The tensor that is looked at."""
        return self.object

    def may_edit(self) -> bool:
        """Whatever is selected."""
        return bool(self.object)

    def editable(self) -> Editable | None:
        """The element under the cursor."""
        snapshot = self.snapshot
        if snapshot is not None and self.view is not None and tensor.is_missing(self.view, self.part):
            return Editable(self._part_object(snapshot), sliceable=False, missing=True)
        shown = None if snapshot is None else tensor.shown_part(snapshot, self.part)
        view = snapshot.answer(TENSOR) if snapshot is not None else None
        if snapshot is None or shown is None or shown.window is None or view is None:
            return None
        if view.object != self.object or shown.where != self.where:
            return None  # the answer for the new object is still under way
        if shown.side != "now":
            return None  # what was cannot be edited
        return Editable(self._part_object(snapshot), tensor.index_of(shown, self.cursor, self.column))

    def selected_object(self) -> str:
        """The part that is shown."""
        return self._part_object(self.snapshot) if self.snapshot is not None else ""

    def copied(self) -> Copied | None:
        """The element under the cursor, with all its digits."""
        target = self.editable()
        snapshot = self.snapshot
        if target is None or snapshot is None:
            return None
        shown = tensor.shown_part(snapshot, self.part)
        value = tensor.number_at(shown, self.cursor, self.column) if shown is not None else None
        index = f"[{', '.join(map(str, target.element))}]" if target.element else ""
        return None if value is None else Copied(f"{target.object}{index}", value)

    def copied_more(self) -> Copied:
        """The figures of the part that is shown."""
        snapshot = self.snapshot
        view = snapshot.answer(TENSOR) if snapshot is not None else None
        parts = view.parts if view is not None else ()
        figures = next((one.statistics for one in parts if one.label == self.part), None)
        if figures is None:
            return super().copied_more()
        return Copied("the figures", f"{self._part_object(snapshot)}: {tensor.figures_in_words(figures)}")  # type: ignore[arg-type]
