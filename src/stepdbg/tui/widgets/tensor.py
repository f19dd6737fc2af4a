"""Panel 2: a cursor over the numbers of one tensor, and which part of it is shown."""

from __future__ import annotations

from stepdbg.protocol.messages import LookAt, LookAtMaps, LookAtPictures, Pool, TensorView
from stepdbg.tui.palette import Palette
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views import heat, tensor
from stepdbg.tui.views.lines import Drawing, Frame, Glyphs
from stepdbg.tui.views.pictures import Strip
from stepdbg.tui.views.tensor_layout import Layout, Mode, divided, modes
from stepdbg.tui.wants import Want
from stepdbg.tui.widgets.panel import Copied, Editable, Panel


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
        self.mode: Mode | None = None
        """Numbers, heat maps, both or pictures; None: what suits the tensor and the place."""
        self.pool: Pool = "mean"
        """What a pixel of a heat map shows of the elements that it stands for."""
        self._columns = 1

    def look_at(self, name: str) -> None:
        """Show another object."""
        if name != self.object:
            self.object, self.part, self.mode = name, "value", None
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

    def next_mode(self) -> None:
        """Numbers, heat maps, both, pictures where there are some, and round again."""
        if self.view is None:  # its answer is under way
            self.mode = "map"
        else:
            available = modes(self.view)
            self.mode = available[(available.index(self._layout().mode) + 1) % len(available)]
        self.moved()

    def next_pool(self) -> None:
        """Means or extremes."""
        self.pool = "extreme" if self.pool == "mean" else "mean"
        self.moved()

    def step_slice(self, step: int) -> None:
        """To the next or the previous slice of a heat map, or picture of a batch."""
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
        if layout.strip is not None:
            several = layout.strip.images.number > 1
        else:
            several = self.view is not None and heat.slices(self.view.shape) > 1
        if several:
            found |= {"slice_previous", "slice_next"}
        maps = self.snapshot.maps if self.snapshot is not None else None
        if layout.maps is not None and maps is not None and (maps.block_rows, maps.block_columns) != (1, 1):
            found.add("pool")
        return frozenset(found) | super().offers()

    @property
    def view(self) -> TensorView | None:
        """The tensor that is looked at, once it is known."""
        view = self.snapshot.tensor if self.snapshot is not None else None
        return view if view is not None and view.object == self.object else None

    def _labels(self) -> list[str]:
        view = self.snapshot.tensor if self.snapshot else None
        return [part.label for part in view.parts] if view else []

    def _part_object(self, snapshot: Snapshot) -> str:
        for part in snapshot.tensor.parts if snapshot.tensor else ():
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

    def took(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """At first the first parameter is shown; a part that has gone (a freed gradient) gives way to the value."""
        if not self.object and snapshot.objects is not None:
            self.object = next((row.name for row in snapshot.objects.rows if row.node == "parameter"), "")
        self._follow(before, snapshot)
        view = snapshot.tensor
        if view is not None and view.object == self.object and self.part not in [part.label for part in view.parts]:
            self.part = "value"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The table of parts, the histogram, the numbers."""
        drawing = tensor.draw(snapshot, frame, self.part, self.cursor, self.column, self.mode, self.pool)
        view = snapshot.tensor
        self._columns = heat.size_of(view.shape)[1] if view is not None else 1
        return drawing

    def position(self) -> str:
        """Which rows of numbers are in view, or which image is under the cursor."""
        layout = self._layout()
        if layout.strip is not None:
            images = layout.strip.images
            return f" {self.cursor // images.rows + 1} of {images.number} "
        return super().position() if layout.rows else ""

    def _layout(self, snapshot: Snapshot | None = None) -> Layout:
        """The division for what is drawn, or for a newer snapshot."""
        snapshot = snapshot or self.snapshot
        view = snapshot.tensor if snapshot else None
        shown = view if self.part == "value" or snapshot is None else snapshot.part
        total = shown.window.total_rows if shown and shown.window else 1
        width, height = self.size
        return divided(Frame(width, height - 1, glyphs=self.glyphs), view, self.part, self.mode, total)

    def wants(self, snapshot: Snapshot) -> list[Want]:
        """The figures of all parts, and of the one that is shown what is in view: numbers, maps, pictures."""
        if not self.object or not snapshot.paused:
            return []
        layout = self._layout(snapshot)
        if self.part == "value":
            found = [Want("tensor", self._look(self.object, layout), snapshot.boundary)]
        else:
            part = self._look(self._part_object(snapshot), layout, statistics=False)
            found = [
                Want("tensor", LookAt(self.object), snapshot.boundary),
                Want("part", part, snapshot.boundary),
            ]
        view = snapshot.tensor
        if view is None or view.object != self.object:
            return found
        if layout.maps is not None:
            index, row = heat.slice_at(view.shape, self.cursor)
            names = tuple(part.object for part in layout.maps.parts)
            maps = layout.maps
            query = LookAtMaps(names, index, maps.tiles, maps.rows, maps.columns, row, self.column, self.pool)
            found.append(Want("maps", query, snapshot.boundary))
        if layout.strip is not None:
            found.append(Want("pictures", self._images(layout.strip), snapshot.boundary))
        return found

    def _images(self, strip: Strip) -> LookAtPictures:
        images = strip.images
        return LookAtPictures(
            self.object,
            images.channels,
            images.height,
            images.width,
            first=self.cursor // images.rows // strip.number * strip.number,
            count=strip.number,
            rows=strip.rows,
            columns=strip.columns,
        )

    def _look(self, name: str, layout: Layout, *, statistics: bool = True) -> LookAt:
        """The window of numbers, or the one number under the cursor."""
        if not layout.rows:
            return LookAt(name, self.cursor, 1, self.column, 1, statistics, layout.bins)
        return LookAt(name, self.top, layout.rows, self.left, layout.columns, statistics, layout.bins)

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor over the numbers, pixel by pixel over a map, or from picture to picture."""
        layout = self._layout()
        if layout.strip is not None:
            self._to_image(columns + rows * layout.strip.across, layout)
            return
        maps = self.snapshot.maps if self.snapshot is not None else None
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
        """Another size shows another window; the cursor stays in it."""
        across = self._layout().columns
        if self.column >= self.left + across:
            self.left = self.column - across + 1

    def pick_cell(self, row: int, column: int) -> None:
        """A number, a pixel or a picture was clicked."""
        self.cursor, self.column = row, column
        across = self._layout().columns
        if not self.left <= column < self.left + across:
            self.left = max(0, column - across + 1) if column >= self.left else column
        self.top = self.kept_in_view()
        self.moved()

    def picked_row(self, row: int) -> None:
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
        shown = None if snapshot is None else (snapshot.tensor if self.part == "value" else snapshot.part)
        if snapshot is None or shown is None or shown.window is None or snapshot.tensor is None:
            return None
        if snapshot.tensor.object != self.object:
            return None  # the answer for the new object is still under way
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
        shown = snapshot.tensor if self.part == "value" else snapshot.part
        value = tensor.number_at(shown, self.cursor, self.column) if shown is not None else None
        index = f"[{', '.join(map(str, target.element))}]" if target.element else ""
        return None if value is None else Copied(f"{target.object}{index}", value)

    def copied_more(self) -> Copied:
        """The figures of the part that is shown."""
        snapshot = self.snapshot
        parts = snapshot.tensor.parts if snapshot is not None and snapshot.tensor is not None else ()
        figures = next((one.statistics for one in parts if one.label == self.part), None)
        if figures is None:
            return super().copied_more()
        return Copied("the figures", f"{self._part_object(snapshot)}: {tensor.figures_in_words(figures)}")  # type: ignore[arg-type]
