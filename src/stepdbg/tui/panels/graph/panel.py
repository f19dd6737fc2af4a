"""The graph behind a tensor: a list of rows in the place of the Tensor panel, until escape."""

from __future__ import annotations

from stepdbg.protocol.messages import GraphRow, ReadGraph
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panels.graph import view as graph
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.snapshot import Snapshot


class GraphPanel(Panel):
    """The nodes that backward walks, with branches that open. It is gone to as the Tensor panel is."""

    panel = "tensor"
    shows_answers = True
    costly = True

    def __init__(self, palette: Palette, glyphs: Glyphs) -> None:
        super().__init__(palette, glyphs)
        self.root = ""
        """The tensor whose graph is shown; empty for the loss."""
        self.opened: frozenset[int] = frozenset()
        """The branches that are open, by their first nodes' places in backward's order."""
        self._sought_in = ""
        """The tensor in whose graph the cursor has gone to the leaf that was asked for."""
        self._walked = 0
        """How far the walk was in the last answer that was not the last."""

    def show_graph(self, name: str, *, anew: bool) -> None:
        """Show the graph behind a tensor.

        Args:
            name: The tensor; empty for the loss.
            anew: From its first row with all branches closed, even if it is the graph that was shown last.
        """
        if anew or name != self.root:
            self.root, self.opened = name, frozenset()
            self.cursor = self.top = 0
            self.body_rows = max(1, self.room.height - 1)
            self._sought_in = ""
            if self.snapshot is not None:
                self._seek(self.snapshot)
        self.moved()

    def showing(self) -> str:
        """`graph`."""
        return "graph"

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The tree."""
        return graph.draw(snapshot, frame, self.root)

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The rows in view; as long as the graph is not walked to its end, again and again."""
        if not snapshot.paused or snapshot.looking_back:
            return []
        query = ReadGraph(self.root, self.top, max(1, self.room.height), tuple(sorted(self.opened)), self._walked)
        return [PanelQuery(graph.GRAPH, query, snapshot.boundary)]

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """The walk goes on."""
        known = snapshot.answer(graph.GRAPH)
        if known is not None and known.asked == self.root and not known.complete:
            self._walked = known.walked
        self._seek(snapshot)

    def _seek(self, snapshot: Snapshot) -> None:
        """The cursor goes to the leaf that was asked for, once it is known where it is."""
        known = snapshot.answer(graph.GRAPH)
        if known is None or not (known.asked == self.root and known.complete and known.object):
            return
        if known.object != self._sought_in:
            self._sought_in = known.object
            if known.place >= 0:
                self.cursor, self.total = known.place, known.total
                self.top = self.kept_in_view()

    # the row under the cursor

    def row(self) -> GraphRow | None:
        """The row under the cursor, once it is known."""
        known = self.snapshot.answer(graph.GRAPH) if self.snapshot is not None else None
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
            self.show_graph(row.object, anew=False)
            return
        self.moved()

    def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """A row that opens was clicked."""
        if isinstance(event.target, graph.RowTarget):
            event.stop()
            self.cursor = event.target.row
            self.open_row()

    def chosen(self) -> str:
        """The parameter, or the tensor that the node has made."""
        row = self.row()
        return row.object if row is not None and row.kind in ("node", "leaf", "unreached") else ""

    def tensor_at_hand(self) -> str:
        """The tensor under the cursor, or the one that is looked at."""
        return self.chosen() or self.root

    def offers(self) -> frozenset[str]:
        """What applies to the row."""
        row = self.row()
        opens = row is not None and (
            row.kind == "branch" or (row.kind == "joins" and row.refers >= 0) or (row.kind == "earlier" and row.object)
        )
        return super().offers() | (frozenset({"graph_row"}) if opens else frozenset())

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor; left closes the branch under it, right opens it."""
        row = self.row()
        if columns and row is not None and row.kind == "branch" and row.opened == (columns < 0):
            self.open_row()
        elif rows:
            super().move(rows)
