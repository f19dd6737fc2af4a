"""The panels as they stand on the screen: mounted after the first frame, arranged by size, cycled through by tab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.containers import Vertical
from textual.css.query import NoMatches
from textual.geometry import Size

from stepdbg.tui.actions import PANELS
from stepdbg.tui.arrangement import COLUMNS, SHARES, Arrangement, arranged
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views.ranks import several
from stepdbg.tui.widgets.bars import Footer, Tabs
from stepdbg.tui.widgets.panel import Panel
from stepdbg.tui.widgets.top import Top

if TYPE_CHECKING:
    from stepdbg.tui.app import StepdbgApp


class Furniture:
    """All panels, and which of them are to be seen."""

    def __init__(self, app: StepdbgApp) -> None:
        self._app = app
        self.panels: dict[str, Panel] = {}
        self.current = "model"
        """The panel in front where one is shown at a time; the one in focus otherwise."""
        self.zoomed = False
        self.arrangement = Arrangement("tabs", 7)
        self._ranks = False
        """Whether there is room for the line of the ranks."""

    async def furnish(self) -> None:
        """Mount the panels; the first frame is on the screen by now."""
        from stepdbg.tui.widgets.effects import EffectsPanel
        from stepdbg.tui.widgets.lists import BreaksPanel, ModelPanel, OptimizerPanel
        from stepdbg.tui.widgets.tensor import TensorPanel
        from stepdbg.tui.widgets.texts import LossPanel, OutputPanel, SourcePanel

        app = self._app
        palette = app.palette()
        kinds = (
            ModelPanel, TensorPanel, EffectsPanel, OptimizerPanel, LossPanel, SourcePanel, OutputPanel, BreaksPanel,
        )  # fmt: skip
        for kind in kinds:
            panel = kind(palette, app.glyphs)
            panel.snapshot = app.seen
            self.panels[panel.panel] = panel
        columns = []
        for number, names in enumerate(COLUMNS):
            for name in names:
                self.panels[name].styles.height = f"{SHARES[name]}fr"
            column = Vertical(*(self.panels[name] for name in names), id=f"column-{number}", classes="column")
            columns.append(column)
        self.arrange(app.size)
        await app.query_one("#body").mount(*columns)
        self.arrange(app.size)
        self.go_to(self.current)
        app.tell_terminal_size()
        app.ask()
        app.paint()

    def arrange(self, size: Size) -> None:
        """Divide the screen for a size."""
        self._ranks = several(self._app.snapshot)
        self.arrangement = arrangement = arranged(size.width, size.height, self.zoomed, ranks=self._ranks)
        try:
            top, tabs, body = self.top, self._app.query_one(Tabs), self._app.query_one("#body")
        except NoMatches:
            return
        top.styles.height = arrangement.top
        tabs.set_class(arrangement.kind != "tabs", "hidden")
        body.set_class(arrangement.kind == "tiny", "hidden")
        for number, names in enumerate(COLUMNS):
            shown = [name for name in names if self.is_shown(name)]
            for column in body.query(f"#column-{number}"):
                column.set_class(not shown, "hidden")
                column.set_class(number > 0 and arrangement.kind == "wide", "apart")
            for name in names:
                if name in self.panels:
                    self.panels[name].set_class(name not in shown, "hidden")
                    self.panels[name].alone = arrangement.kind == "tabs"

    @property
    def top(self) -> Top:
        """Header, rail and sentence."""
        return self._app.screen_stack[0].query_one(Top)

    def is_shown(self, name: str) -> bool:
        """Whether a panel is on the screen."""
        return self.arrangement.kind == "wide" or (self.arrangement.kind == "tabs" and name == self.current)

    def visible(self) -> list[Panel]:
        """The panels on the screen."""
        return [panel for name, panel in self.panels.items() if self.is_shown(name)]

    def show(self, snapshot: Snapshot) -> None:
        """Draw a snapshot wherever it is to be seen."""
        base = self._app.screen_stack[0]
        if several(snapshot) != self._ranks:
            self.arrange(self._app.size)
        self.top.show(snapshot)
        for panel in self.visible():
            panel.show(snapshot)
        if self.arrangement.kind == "tabs":
            base.query_one(Tabs).show(self.current)
        base.query_one(Footer).show(self._app.situation(), self.arrangement.hidden)

    def go_to(self, name: str) -> None:
        """Bring a panel to the front and put the focus on it."""
        self.current = name
        self.arrange(self._app.size)
        panel = self.panels.get(name)
        if panel is not None:
            self._app.screen_stack[0].set_focus(panel)
            self._app.ask()
            self._app.paint()

    def go_to_rail(self) -> None:
        """Put the focus on the rail."""
        self._app.screen_stack[0].set_focus(self.top)

    def zoom(self) -> None:
        """One panel alone, or all again."""
        self.zoomed = not self.zoomed
        self.go_to(self.current)

    def cycle(self, step: int) -> None:
        """The next panel by number, then the rail, and round again."""
        order = [*PANELS.values(), "rail"]
        name = order[(order.index(self.focused_name()) + step) % len(order)]
        if name == "rail":
            self.go_to_rail()
        else:
            self.go_to(name)

    def focused_name(self) -> str:
        """The name of what has the focus."""
        if not self._app.screen_stack:
            return self.current
        focused = self._app.screen_stack[0].focused
        if isinstance(focused, Top):
            return "rail"
        if isinstance(focused, Panel):
            self.current = focused.panel if self.arrangement.kind == "wide" else self.current
            return focused.panel
        return self.current

    def in_focus(self) -> Panel | None:
        """The panel that keys go to; None while the rail has them."""
        name = self.focused_name()
        return None if name == "rail" or not self.is_shown(name) else self.panels.get(name)

    def selected_object(self) -> str:
        """What the Tensor panel shows."""
        panel = self.panels.get("tensor")
        return panel.selected_object() if panel is not None else ""

    def panel_text(self, name: str) -> str:
        """What a panel shows."""
        panel = self.panels.get(name)
        return (panel.text() if panel is not None else self.top.text()) + "\n"

    def output_size(self, size: Size) -> tuple[int, int]:
        """Columns and rows for the script's terminal."""
        panel = self.panels.get("output")
        if panel is not None and panel.size.width > 2:
            return panel.size.width - 1, max(2, panel.size.height - 1)
        if self.arrangement.kind == "wide":
            return max(20, size.width * 4 // 13 - 1), max(2, size.height // 3)
        return max(2, size.width - 1), max(2, size.height - 10)
