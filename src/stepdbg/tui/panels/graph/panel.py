"""Panel 2 with a second view: the graph behind a tensor, in place of its numbers until escape."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages import GraphRow, ReadGraph
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.panels.graph import view as graph
from stepdbg.tui.panels.panel import Copied, Editable, Panel
from stepdbg.tui.panels.tensor.panel import TensorPanel
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.wants import Want


class TensorOrGraph(TensorPanel):
    """The numbers of a tensor, or the graph that it came out of: then it is a list of rows like most panels."""

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.view_of: Literal["tensor", "graph"] = "tensor"
        self.root = ""
        """The tensor whose graph is shown; empty for the loss."""
        self.opened: frozenset[int] = frozenset()
        """The branches that are open, by their first nodes' places in backward's order."""
        self._sought_in = ""
        """The tensor in whose graph the cursor has gone to the leaf that was asked for."""
        self._walked = 0
        """How far the walk was in the last answer that was not the last."""
        self._numbers = (0, 0)
        """Cursor and first row of the numbers, while the graph is shown."""

    @property
    def graphed(self) -> bool:
        """Whether the graph is shown."""
        return self.view_of == "graph"

    def show_graph(self, name: str) -> None:
        """Show the graph behind that tensor."""
        if not self.graphed:
            self._numbers = (self.cursor, self.top)
        if not self.graphed or name != self.root:
            self.view_of, self.root, self.opened = "graph", name, frozenset()
            self.cursor = self.top = 0
            self._sought_in = ""
            if self.snapshot is not None:
                self._seek(self.snapshot)
        self.moved()

    def show_tensor(self) -> None:
        """Back to the numbers."""
        if self.graphed:
            self.view_of = "tensor"
            self.cursor, self.top = self._numbers
            self.moved()

    def look_at(self, name: str) -> None:
        """Show the numbers of an object."""
        self.show_tensor()
        super().look_at(name)

    def showing(self) -> str:
        """`graph`, while that is shown."""
        return "graph" if self.graphed else ""

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The tree, or the numbers."""
        return graph.draw(snapshot, frame, self.root) if self.graphed else super().drawing(snapshot, frame)

    def wants(self, snapshot: Snapshot) -> list[Want]:
        """The rows in view; as long as the graph is not walked to its end, again and again."""
        if not self.graphed:
            return super().wants(snapshot)
        if not snapshot.paused or snapshot.looking_back:
            return []
        query = ReadGraph(self.root, self.top, max(1, self.size.height), tuple(sorted(self.opened)), self._walked)
        return [Want("graph", query, snapshot.boundary)]

    def took(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """The walk goes on."""
        super().took(before, snapshot)
        known = snapshot.graph
        if known is not None and known.asked == self.root and not known.complete:
            self._walked = known.walked
        self._seek(snapshot)

    def _seek(self, snapshot: Snapshot) -> None:
        """The cursor goes to the leaf that was asked for, once it is known where it is."""
        known = snapshot.graph
        if known is None or not (self.graphed and known.asked == self.root and known.complete and known.object):
            return
        if known.object != self._sought_in:
            self._sought_in = known.object
            if known.place >= 0:
                self.cursor, self.total = known.place, known.total
                self.top = self.kept_in_view()

    # the row under the cursor

    def row(self) -> GraphRow | None:
        """It, once it is known."""
        known = self.snapshot.graph if self.snapshot is not None and self.graphed else None
        return graph.row_at(known, self.cursor) if known is not None and known.asked == self.root else None

    def open_row(self) -> None:
        """Open or close the branch, go to where the line goes on, or show the earlier graph."""
        row = self.row()
        if row is None:
            return
        if row.kind == "branch":
            self.opened = self.opened ^ {row.node}
            self.top = max(self.top, self.cursor - self.body_rows // 2)  # what opens is to be seen
        elif row.kind == "joins" and row.refers >= 0:
            self.cursor = row.refers
            self.top = self.kept_in_view()
        elif row.kind == "earlier" and row.object:
            self.show_graph(row.object)
            return
        self.moved()

    def pick_graph_row(self, index: int) -> None:
        """A row that opens was clicked."""
        self.cursor = index
        self.open_row()

    def chosen(self) -> str:
        """The parameter, or the tensor that the node has made."""
        row = self.row()
        return row.object if row is not None and row.kind in ("node", "leaf", "unreached") else ""

    def tensor_at_hand(self) -> str:
        """The tensor under the cursor, or the one that is looked at."""
        return self.chosen() or self.root if self.graphed else super().tensor_at_hand()

    def offers(self) -> frozenset[str]:
        """What applies to the row; of the graph there are no maps."""
        if not self.graphed:
            return super().offers()
        row = self.row()
        opens = row is not None and (
            row.kind == "branch" or (row.kind == "joins" and row.refers >= 0) or (row.kind == "earlier" and row.object)
        )
        return Panel.offers(self) | (frozenset({"graph_row"}) if opens else frozenset())

    def may_edit(self) -> bool:
        """A graph is not edited."""
        return not self.graphed and super().may_edit()

    def editable(self) -> Editable | None:
        """A graph is not edited."""
        return None if self.graphed else super().editable()

    def selected_object(self) -> str:
        """What is to be saved."""
        return self.chosen() if self.graphed else super().selected_object()

    def copied(self) -> Copied | None:
        """The row."""
        return Panel.copied(self) if self.graphed else super().copied()

    def copied_more(self) -> Copied:
        """What is seen of the graph."""
        return Panel.copied_more(self) if self.graphed else super().copied_more()

    # moving

    def position(self) -> str:
        """Which rows are in view."""
        return Panel.position(self) if self.graphed else super().position()

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor; left closes the branch under it, right opens it."""
        if not self.graphed:
            super().move(rows, columns)
            return
        row = self.row()
        if columns and row is not None and row.kind == "branch" and row.opened == (columns < 0):
            self.open_row()
        elif rows:
            Panel.move(self, rows)

    def page(self, pages: int) -> None:
        """Move by what fits."""
        (Panel.page if self.graphed else TensorPanel.page)(self, pages)

    def scrolled(self, rows: int) -> None:
        """The wheel."""
        (Panel.scrolled if self.graphed else TensorPanel.scrolled)(self, rows)

    def picked_row(self, row: int) -> None:
        """A row was clicked."""
        (Panel.picked_row if self.graphed else TensorPanel.picked_row)(self, row)
