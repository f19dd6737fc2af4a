"""The panels whose body is a list of rows: Optimizer, Breaks."""

from __future__ import annotations

from stepdbg.protocol.messages import Breakpoint, ListOptimizers
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views import breaks, optimizer
from stepdbg.tui.views.lines import Drawing, Frame
from stepdbg.tui.wants import Want
from stepdbg.tui.widgets.panel import Copied, Editable, Panel


class OptimizerPanel(Panel):
    """Panel 4: groups, hyperparameters and the ledger."""

    panel = "optimizer"
    shows_answers = True

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """Groups and ledger."""
        return optimizer.draw(snapshot, frame)

    def took(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """At first the cursor is on the first figure that can be edited."""
        if snapshot.optimizers and (before is None or before.optimizers is None) and not self.cursor:
            rows = optimizer.items(snapshot)
            self.cursor = next((index for index, item in enumerate(rows) if item.editable), 0)

    def wants(self, snapshot: Snapshot) -> list[Want]:
        """All optimizers, at every stop."""
        return [Want("optimizers", ListOptimizers(), snapshot.boundary)] if snapshot.paused else []

    def _item(self) -> optimizer.Item | None:
        rows = optimizer.items(self.snapshot) if self.snapshot else []
        return rows[self.cursor] if self.cursor < len(rows) else None

    def chosen(self) -> str:
        """The parameter of the ledger's row."""
        item = self._item()
        return item.object if item and item.kind == "ledger" else ""

    def copied(self) -> Copied | None:
        """The value of the hyperparameter, or the name of the parameter in the ledger."""
        item = self._item()
        if item is not None and item.kind == "hyperparameter":
            return Copied(item.words, item.value)
        return Copied("the name", item.object) if item is not None and item.object else super().copied()

    def editable(self) -> Editable | None:
        """The hyperparameter under the cursor."""
        item = self._item()
        return Editable(item.object) if item and item.editable else None


class BreaksPanel(Panel):
    """Panel 8: breakpoints and edits."""

    panel = "breaks"
    of_the_moment = False

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """Breakpoints, then edits."""
        return breaks.draw(snapshot, frame)

    def breakpoint(self) -> Breakpoint | None:
        """The breakpoint under the cursor."""
        rows = breaks.items(self.snapshot) if self.snapshot else []
        return rows[self.cursor].breakpoint if self.cursor < len(rows) else None
