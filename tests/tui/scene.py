"""The stage that the actions are tried on: what is sent is noted, and it can be put back to where it began."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

import msgspec
from textual.events import MouseScrollDown, MouseScrollUp
from tui.stage import DEADLINE, Stage

from stepdbg.protocol.messages import Interrupt, RemoveBreakpoint, Restart, ShowStack, Steer
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Target, width_of
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.registry import PANELS
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.targets import PanelTarget

WEIGHT = "model.fc1.weight"
NOT_IN_A_TEST = (Interrupt, Restart, ShowStack)
"""What the hub would send signals for, to the process of the test: noted, and kept from it."""


class Scene:
    """A stage that notes what is sent, and can be put back to where it began."""

    def __init__(self, here: Stage) -> None:
        self.here, self.app = here, here.app
        self.sent: list[object] = []
        """What the screen has told the hub in this situation."""
        self.written: list[str] = []
        """What it has written to the terminal past the cells, as the clipboard's sequence is."""
        self.boundary = 0
        """Where training stood when the situation came about."""
        self._send = self.app.hub.send
        self.app.hub.send = self._note  # type: ignore[method-assign]
        self.app.write_to_terminal = self.written.append  # type: ignore[method-assign]

    def _note(self, message: object) -> None:
        self.sent.append(message)
        if not isinstance(message, NOT_IN_A_TEST):
            self._send(message)  # type: ignore[arg-type]

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Let the app go on until `holds`; as the stage does it, but looking is cheap."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(DEADLINE):
                while not holds():
                    await asyncio.sleep(0.005)
        assert holds(), f"never came: {what}\n{self.here.text}"

    async def settle(self) -> None:
        """Until nothing is asked any more, and all is drawn."""
        await self.until(lambda: self.app.hub.questions and not self.app.hub.questions.busy, "the answers")
        await self.here.pilot.pause()
        for sheet in self.app.screen_stack[0].query(Sheet):
            sheet.repaint()  # the situations move cursors from outside, which no panel notices
        self.app.paint()

    async def home(self) -> None:
        """Paused in the present, on a parameter of the Model panel, with nothing left of the action before."""
        app = self.app
        if len(app.screen_stack) > 1:
            await self.until(lambda: app.screen.is_mounted, "the dialog, ready to be left")
            app.screen.dismiss(None)
            await self.until(lambda: len(app.screen_stack) == 1, "the dialog's end")
        if not app.snapshot.paused or self.hub_runs():
            app.hub.send(Steer("pause", app.snapshot.rank))
            await self.until(lambda: app.snapshot.paused and not self.hub_runs(), "a stop")
        app.hub.look_at_stop(None)
        while app.snapshot.stop.inner is not None:
            await self.go("next")
        for one in app.snapshot.session.breakpoints:
            app.hub.send(RemoveBreakpoint(one.number))
        await self.until(lambda: not app.snapshot.session.breakpoints, "no breakpoints")
        app.snapshot = msgspec.structs.replace(app.snapshot, console=(), frame=None, unfolded=False, line_in_view=None)
        layout = app.panel_layout
        layout.at("effects").show_matrix()
        layout.at("optimizer").show_list()
        layout.at("source").on_variables = False
        layout.at("loss").logarithmic = False
        layout.at("loss").show_losses()
        layout.at("findings").opened.clear()
        tensor = self.here.tensor
        layout.put(tensor)
        tensor.look_at(WEIGHT)
        tensor.part, tensor.mode, tensor.pool = "value", None, "mean"
        tensor.side, tensor.where, tensor.marked = "now", "", ""
        tensor.cursor = tensor.top = tensor.column = tensor.left = 0
        if layout.zoomed:
            layout.zoom()
        layout.restore([*PANELS.values()], zoomed=False)
        model = self.here.panel("model")
        await self.until(lambda: app.snapshot.answer(OBJECTS) is not None, "the objects")
        model.find_clear()
        model.order, model._base, model._toggled = "tree", "auto", frozenset()
        await self.until(lambda: WEIGHT in names_of(app), "the tensor's row")
        await self.settle()
        model.cursor, model.top = names_of(app).index(WEIGHT), 0
        if (line := layout.at("console").input) is not None:
            line.done()
            line.past.clear()
        app.clear_notifications()
        await self.settle()
        await self.until(self.on_the_weight, "the tensor's row under the cursor")
        self.sent.clear()
        self.written.clear()
        self.boundary = app.snapshot.boundary

    def on_the_weight(self) -> bool:
        """Whether the Model panel is at that row; if not, it is sent there: rows that come late keep the old one."""
        model, place = self.here.panel("model"), names_of(self.app).index(WEIGHT)
        there = model.cursor == place
        model.cursor = place
        return there

    async def go(self, action: str) -> None:
        """To the next stop."""
        before = self.app.snapshot.boundary
        self.app.hub.send(Steer(action, self.app.snapshot.rank))  # type: ignore[arg-type]
        await self.until(lambda: self.app.snapshot.paused and self.app.snapshot.boundary > before, "a stop")

    def hub_runs(self) -> bool:
        return any(rank.state == "running" for rank in self.here.hub.session.snapshot().ranks)

    async def at(self, panel: str) -> None:
        """In a panel."""
        self.app.panel_layout.go_to(panel)
        await self.settle()

    def in_front(self, panel: str) -> bool:
        return self.app.panel_layout.focused_name() == panel and self.app.panel_layout.is_shown(panel)

    @property
    def dialog(self) -> type[Dialog[object]]:
        return type(self.app.screen)  # type: ignore[return-value]

    # the mouse

    def place_of(self, target: Target) -> tuple[int, int] | None:
        """Where on the screen something stands that stands for `target`."""
        for sheet in self.app.screen.query(Sheet):
            if not sheet.display or not sheet.size:
                continue
            for y, line in enumerate(sheet._lines):
                for number, span in enumerate(line):
                    if span.target == target and (x := width_of(line[:number])) < sheet.size.width:
                        skip = len(span.text) - len(span.text.lstrip())
                        return sheet.region.x + x + skip, sheet.region.y + y
        return None

    async def click(self, target: Target) -> None:
        """Click on what stands for `target`."""
        place = self.place_of(target)
        assert place is not None, f"nothing on the screen stands for {target}\n{self.here.text}"
        await self.here.pilot.click(offset=place)

    async def laid_out(self, panel: str) -> None:
        """A panel that has just come to the front has its place after the next layout: nobody clicks sooner."""
        await self.until(lambda: self.here.panel(panel).region.height, f"the panel {panel} in its place")

    async def click_row(self, panel: str, row: int, times: int = 1) -> None:
        """Click on a row of a panel's body."""
        one = self.here.panel(panel)
        await self.laid_out(panel)
        y = one.region.y + 1 + one._head + row - one.top
        await self.here.pilot.click(offset=(one.region.x + 4, y), times=times)

    async def wheel(self, panel: str, kind: type[MouseScrollUp | MouseScrollDown], notches: int) -> None:
        """Turn the wheel over a panel."""
        await self.laid_out(panel)
        region = self.here.panel(panel).region
        for _ in range(notches):
            await self.here.pilot._post_mouse_events([kind], offset=(region.x + 3, region.y + 2))

    async def click_title(self, panel: str) -> None:
        """Its tab, its name in the title of the slot, or its own title."""
        if self.place_of(PanelTarget(panel)) is not None:
            await self.click(PanelTarget(panel))
        else:
            region = self.here.panel(panel).region
            await self.here.pilot.click(offset=(region.x + 3, region.y))


def names_of(app: StepdbgApp) -> list[str]:
    """The Model panel's rows, all of which are in its window."""
    return [row.name for row in app.snapshot.answer(OBJECTS).rows] if app.snapshot.answer(OBJECTS) is not None else []
