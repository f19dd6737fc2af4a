"""The panels whose body is a list of rows: Model, Optimizer, Breaks."""

from __future__ import annotations

from stepdbg.protocol.messages import Breakpoint, ListObjects, ListOptimizers, Summarise
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views import breaks, model, optimizer
from stepdbg.tui.views.lines import Drawing, Frame
from stepdbg.tui.wants import Want
from stepdbg.tui.widgets.panel import Copied, Editable, Panel


class ModelPanel(Panel):
    """Panel 1: the tree of modules, parameters and buffers."""

    panel = "model"
    shows_answers = True

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """The tree."""
        return model.draw(snapshot, frame)

    def took(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """The cursor stays on its object when rows come and go; at first it is on the first tensor."""
        if snapshot.objects is None or (before is not None and before.objects is snapshot.objects):
            return
        rows = snapshot.objects.rows
        old = before.objects.rows if before is not None and before.objects is not None else ()
        name = old[self.cursor].name if self.cursor < len(old) else ""
        names = [row.name for row in rows]
        if name in names:
            self.cursor = names.index(name)
        elif not old and not self.cursor:
            self.cursor = next((index for index, row in enumerate(rows) if row.node in model.TENSORS), 0)

    def wants(self, snapshot: Snapshot) -> list[Want]:
        """The objects when their set has changed, and figures of the rows in view."""
        stop = snapshot.stop
        if stop is None or not snapshot.paused:
            return []
        found = [Want("objects", ListObjects(), stop.registry)]
        if names := model.visible_tensors(snapshot, self.top, self.body_rows):
            found.append(Want("summaries", Summarise(names), snapshot.boundary))
        return found

    def chosen(self) -> str:
        """The tensor under the cursor, or the first one below the module that is."""
        rows = self.snapshot.objects.rows if self.snapshot and self.snapshot.objects else ()
        return next((row.name for row in rows[self.cursor :] if row.node in model.TENSORS), "")

    def copied(self) -> Copied | None:
        """The name of the object under the cursor."""
        rows = self.snapshot.objects.rows if self.snapshot and self.snapshot.objects else ()
        name = rows[self.cursor].name.strip() if self.cursor < len(rows) else ""
        return Copied("the name", name) if name else None

    def editable(self) -> Editable | None:
        """The whole tensor under the cursor."""
        rows = self.snapshot.objects.rows if self.snapshot and self.snapshot.objects else ()
        here = rows[self.cursor] if self.cursor < len(rows) else None
        return Editable(here.name) if here is not None and here.node in model.TENSORS else None


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
