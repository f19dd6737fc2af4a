"""How each action of the registry comes to apply, what proves that it took effect, and where the mouse finds it.

One entry per action, beside the stage that they are played on. An action that is not here fails
`test_every_action.py`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import msgspec
from textual.command import CommandPalette
from textual.events import MouseScrollDown, MouseScrollUp
from tui.console_situations import evaluated, evaluating, typed
from tui.stage import DEADLINE, Stage

from stepdbg.protocol.messages import (
    AddBreakpoint,
    ApplyEdit,
    Breakpoint,
    EditPreview,
    Interrupt,
    Output,
    PreviewEdit,
    RemoveBreakpoint,
    Restart,
    ShowStack,
    Steer,
)
from stepdbg.testing.network import Tensor
from stepdbg.tui.actions.help_dialog import HelpDialog
from stepdbg.tui.app import StepdbgApp
from stepdbg.tui.dialogs.breakpoint import BreakpointDialog
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.dialogs.edit import EditDialog
from stepdbg.tui.dialogs.leave import LeaveDialog
from stepdbg.tui.dialogs.line import LineDialog
from stepdbg.tui.dialogs.restart import RestartDialog
from stepdbg.tui.dialogs.script_input import InputDialog
from stepdbg.tui.drawing.lines import Target, width_of
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.files.save_dialog import SaveDialog
from stepdbg.tui.panel_base.panel_names import DIGITS, NAMES, PANELS
from stepdbg.tui.panels.graph.view import GRAPH, RowTarget
from stepdbg.tui.panels.source.variables import FrameTarget, VariableTarget
from stepdbg.tui.panels.tensor.slots import MAPS
from stepdbg.tui.panels.tensor.targets import PartTarget, SideTarget
from stepdbg.tui.records.exchanges import under_way
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.snapshot import neighbour
from stepdbg.tui.state.targets import ActionTarget, PanelTarget, PhaseTarget, RankTarget

WEIGHT = "model.fc1.weight"
LARGE = (40, 400)
"""Rows and columns of a matrix whose heat map needs more pixels than the widest of the screens has."""
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
        app.snapshot = msgspec.structs.replace(app.snapshot, console=(), frame=None, unfolded=False)
        panels, furniture = app.furniture.panels, app.furniture
        panels["effects"].show_matrix()
        panels["optimizer"].show_list()
        panels["source"].on_variables = False
        tensor = self.here.tensor
        furniture.put(tensor)
        tensor.look_at(WEIGHT)
        tensor.part, tensor.mode, tensor.pool = "value", None, "mean"
        tensor.side, tensor.cut, tensor.marked = "now", "", ""
        tensor.cursor = tensor.top = tensor.column = tensor.left = 0
        if furniture.zoomed:
            furniture.zoom()
        furniture.restore([*PANELS.values()], zoomed=False)
        model = self.here.panel("model")
        await self.until(lambda: app.snapshot.answer(OBJECTS) is not None, "the objects")
        model.find_clear()
        model.order, model._base, model._toggled = "tree", "auto", frozenset()
        await self.until(lambda: WEIGHT in names_of(app), "the tensor's row")
        await self.settle()
        model.cursor, model.top = names_of(app).index(WEIGHT), 0
        if (line := panels["console"].input) is not None:
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
        self.app.furniture.go_to(panel)
        await self.settle()

    def in_front(self, panel: str) -> bool:
        return self.app.furniture.focused_name() == panel and self.app.furniture.is_shown(panel)

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


Come = Callable[[Scene], Awaitable[None]]
Holds = Callable[[Scene], object]


@dataclass(frozen=True)
class Played:
    """One action."""

    come: Come
    """From home to where it applies."""
    holds: Holds
    """True when it has taken effect, and not before."""
    mouse: Come | None = None
    """How the mouse does it without footer and palette, at every size."""
    target: Target | None = None
    """What stands for it on the screen and is clicked, where there is room for it."""
    first_key: bool = False
    """Whether the second key does the opposite of the first."""
    columns: bool = False
    """Whether it is only for where several panels are shown at once."""


# how to come to a situation


async def home(_: Scene) -> None:
    pass


def at(panel: str) -> Come:
    return lambda scene: scene.at(panel)


async def runs(scene: Scene) -> None:
    scene.app.hub.send(Steer("continue", 0))
    await scene.until(lambda: scene.app.snapshot.state == "running", "training that runs")
    await scene.here.pilot.pause()
    scene.app.paint()
    scene.sent.clear()


async def before_forward(scene: Scene) -> None:
    while scene.app.snapshot.stop.boundary.next != "forward":
        await scene.go("next")
    await scene.settle()
    scene.sent.clear()
    scene.boundary = scene.app.snapshot.boundary


async def inside_forward(scene: Scene) -> None:
    await before_forward(scene)
    await scene.go("into")
    await scene.settle()


async def past(scene: Scene) -> None:
    scene.app.hub.look_at_stop(neighbour(scene.app.snapshot, -1))
    await scene.until(lambda: scene.app.seen.looking_back and scene.app.seen.stop is not None, "the past")
    await scene.settle()


async def on_a_breakpoint(scene: Scene) -> None:
    scene.app.hub.send(AddBreakpoint(Breakpoint(0, "eval", "before", None)))
    await scene.until(lambda: scene.app.snapshot.session.breakpoints, "a breakpoint")
    await scene.at("breaks")
    scene.here.panel("breaks").cursor = 0
    scene.app.paint()


async def edited(scene: Scene) -> None:
    done = len(scene.app.snapshot.session.edits)
    preview = await scene.app.hub.connection.ask(PreviewEdit(WEIGHT, "old * 1.5", (0, 0)), 0)
    assert isinstance(preview, EditPreview), preview
    await scene.app.hub.connection.ask(ApplyEdit(preview.token), 0)
    await scene.until(lambda: len(scene.app.snapshot.session.edits) > done, "an edit")
    await scene.settle()


async def numbers(scene: Scene) -> None:
    await scene.at("tensor")
    await scene.until(lambda: scene.here.tensor.editable(), "the numbers")
    scene.app.paint()


async def marked(scene: Scene) -> None:
    scene.here.tensor.mark("!= 0")
    await numbers(scene)


async def on_a_large_map(scene: Scene) -> None:
    """Of a tensor of several slices, each larger than the screen."""
    scene.here.fake._inspection.variables["x"] = Tensor((3, *LARGE))
    await scene.at("tensor")
    scene.here.tensor.look_at("x")
    scene.here.tensor.mode = "map"
    scene.app.hub.ask()
    maps = lambda: scene.here.tensor.view is not None and scene.app.snapshot.answer(MAPS)  # noqa: E731
    await scene.until(lambda: maps() and maps().total_columns == LARGE[1] and maps().block_columns > 1, "its map")
    await scene.settle()


async def on_its_second_slice(scene: Scene) -> None:
    await on_a_large_map(scene)
    scene.here.tensor.step_slice(1)
    await scene.settle()


async def on_a_branch(scene: Scene) -> None:
    """Of the graph behind the loss."""
    await scene.at("tensor")
    panel = scene.here.graph
    panel.show_graph("", anew=True)
    scene.app.furniture.put(panel)
    graph = lambda: scene.app.snapshot.answer(GRAPH)  # noqa: E731
    kinds = lambda: [row.kind for row in graph().rows] if graph() and (graph().asked, graph().top) == ("", 0) else []  # noqa: E731
    await scene.until(lambda: "branch" in kinds(), "the graph")
    panel.cursor = kinds().index("branch")
    scene.app.paint()
    await scene.settle()


async def a_frame_up(scene: Scene) -> None:
    await scene.at("source")
    scene.app.snapshot = frames.walked(scene.app.snapshot, 1)
    scene.app.hub.ask()
    await scene.settle()


async def much_output(scene: Scene) -> None:
    await scene.at("output")
    scene.app.hub.take(Output(0, b"".join(b"line %d\r\n" % number for number in range(200))))
    panel = scene.here.panel("output")

    def scrolled_back() -> bool:
        panel.follow()
        scene.app.paint()
        panel.scrolled(-27)
        return output_top(scene) == 27

    await scene.until(scrolled_back, "27 lines back, once the panel has its size")


async def on_the_rail(scene: Scene) -> None:
    scene.app.furniture.go_to_rail()
    scene.here.top.select_named("loss")
    await scene.settle()


async def second_row(scene: Scene) -> None:
    assert scene.here.panel("model").cursor > 0


# what is seen of it


def sent(message: object) -> Holds:
    return lambda scene: message in scene.sent


def stepped(action: str) -> Holds:
    return lambda scene: Steer(action, 0) in scene.sent and scene.app.snapshot.boundary > scene.boundary


def asks(dialog: type[Dialog[object]]) -> Holds:
    return lambda scene: scene.dialog is dialog and scene.app.screen.is_mounted


def edits(*, whole: bool) -> Holds:
    return lambda scene: scene.dialog is EditDialog and (scene.app.screen.index is None) is whole  # type: ignore[attr-defined]


def in_front(panel: str) -> Holds:
    return lambda scene: scene.in_front(panel)


def breakpoints(*enabled: bool) -> Holds:
    return lambda scene: [one.enabled for one in scene.app.snapshot.session.breakpoints] == [*enabled]


def console_input(words: str) -> Holds:
    return lambda scene: scene.here.panel("console").input.text == words


def output_top(scene: Scene) -> int:
    panel = scene.here.panel("output")
    return max(0, panel.total - panel.body_rows) - panel.top


def names_of(app: StepdbgApp) -> list[str]:
    """The Model panel's rows, all of which are in its window."""
    return [row.name for row in app.snapshot.answer(OBJECTS).rows] if app.snapshot.answer(OBJECTS) is not None else []


def model_row(scene: Scene) -> int:
    return scene.here.panel("model").cursor - names_of(scene.app).index(WEIGHT)


def rail_phase(phase: str) -> Holds:
    return lambda scene: scene.here.top.phase() == phase


# the mouse


def title(panel: str) -> Come:
    return lambda scene: scene.click_title(panel)


def row(offset: int, times: int = 1) -> Come:
    return lambda scene: scene.click_row("model", scene.here.panel("model").cursor + offset, times)


def wheel(kind: type[MouseScrollUp | MouseScrollDown], notches: int) -> Come:
    return lambda scene: scene.wheel("output", kind, notches)


PLAYED: dict[str, Played] = {
    "next": Played(home, stepped("next")),
    "into": Played(before_forward, stepped("into")),
    "operator": Played(before_forward, stepped("operator")),
    "came_out": Played(inside_forward, lambda scene: scene.here.tensor.object == "output of model.fc1"),
    "finish": Played(home, stepped("finish")),
    "continue": Played(home, sent(Steer("continue", 0))),
    "console_interrupt": Played(evaluating, sent(Interrupt(0))),
    "pause": Played(runs, lambda scene: Steer("pause", 0) in scene.sent and scene.app.snapshot.paused),
    "break": Played(home, asks(BreakpointDialog)),
    "switch": Played(on_a_breakpoint, breakpoints(False)),
    "remove": Played(on_a_breakpoint, breakpoints()),
    "edit": Played(numbers, edits(whole=False)),
    "edit_all": Played(numbers, edits(whole=True)),
    "undo": Played(edited, lambda scene: all(edit.undone for edit in scene.app.snapshot.session.edits)),
    "back": Played(past, lambda scene: scene.app.snapshot.past_at is None),
    "leave_panel": Played(at("loss"), in_front("model")),
    "open": Played(home, lambda scene: scene.in_front("tensor") and scene.here.tensor.object == WEIGHT, row(0, 2)),
    "names": Played(at("effects"), lambda scene: scene.here.panel("effects").showing() == "names"),
    "graph": Played(home, lambda scene: scene.in_front("tensor") and scene.here.graphed),
    "graph_row": Played(
        on_a_branch,
        lambda scene: scene.here.graph.opened,
        lambda scene: scene.click(RowTarget(scene.here.graph.cursor)),
    ),
    "owners": Played(home, lambda scene: scene.in_front("effects") and scene.here.panel("effects").view == "identity"),
    "foresee": Played(
        home, lambda scene: scene.in_front("optimizer") and scene.here.panel("optimizer").view == "foresight"
    ),
    "earlier": Played(home, lambda scene: scene.app.snapshot.past_at is not None),
    "later": Played(past, lambda scene: scene.app.snapshot.past_at is None),
    "part": Played(numbers, lambda scene: scene.here.tensor.part != "value", target=PartTarget("exp_avg")),
    "map": Played(numbers, lambda scene: scene.here.tensor.mode is not None),
    "pool": Played(on_a_large_map, lambda scene: scene.here.tensor.pool == "extreme"),
    "side": Played(numbers, lambda scene: scene.here.tensor.side == "before", target=SideTarget("before")),
    "jump": Played(numbers, asks(LineDialog)),
    "mark": Played(numbers, asks(LineDialog)),
    "find_next": Played(marked, lambda scene: scene.here.tensor.element_number() == 1),
    "find_previous": Played(marked, lambda scene: scene.here.tensor.element_number() > 1),
    "slice_next": Played(on_a_large_map, lambda scene: scene.here.tensor.cursor == LARGE[0]),
    "slice_previous": Played(on_its_second_slice, lambda scene: scene.here.tensor.cursor == 0),
    "frame_up": Played(at("source"), lambda scene: frames.chosen(scene.app.snapshot) == 2, target=FrameTarget(2)),
    "frame_down": Played(a_frame_up, lambda scene: frames.chosen(scene.app.snapshot) == 0, target=FrameTarget(0)),
    "unfold": Played(at("source"), lambda scene: scene.app.snapshot.unfolded),
    "variables": Played(at("source"), lambda scene: scene.here.panel("source").on_variables, target=VariableTarget(0)),
    "console": Played(home, lambda scene: scene.here.panel("console").typing),
    "copy": Played(home, lambda scene: any("\x1b]52;" in one for one in scene.written)),
    "copy_more": Played(home, lambda scene: any("\x1b]52;" in one for one in scene.written)),
    "save": Played(home, asks(SaveDialog)),
    "input": Played(at("output"), asks(InputDialog)),
    "console_run": Played(
        typed("40 + 2"),
        lambda scene: scene.app.snapshot.console and not under_way(scene.app.snapshot.console),
    ),
    "console_complete": Played(typed("logi"), console_input("logits")),
    "console_history": Played(typed(""), console_input("epoch"), first_key=True),
    "console_leave": Played(typed(""), lambda scene: not scene.here.panel("console").typing),
    "console_clear": Played(evaluated, lambda scene: scene.app.snapshot.console == ()),
    **{
        f"panel_{name}": Played(at("tensor" if name == "model" else "model"), in_front(name), title(name))
        for name in PANELS.values()
    },
    "rail": Played(home, lambda scene: scene.app.furniture.focused_name() == "rail", target=PhaseTarget("loss")),
    "focus_next": Played(home, in_front("tensor"), title("tensor")),
    "focus_previous": Played(at("tensor"), in_front("model"), title("model")),
    "zoom": Played(home, lambda scene: scene.app.furniture.zoomed, columns=True),
    "up": Played(second_row, lambda scene: model_row(scene) == -1, row(-1)),
    "down": Played(home, lambda scene: model_row(scene) == 1, row(1)),
    "left": Played(on_the_rail, rail_phase("forward"), target=PhaseTarget("forward")),
    "right": Played(on_the_rail, rail_phase("backward"), target=PhaseTarget("backward")),
    "page_up": Played(much_output, lambda scene: output_top(scene) > 27, wheel(MouseScrollUp, 2)),
    "page_down": Played(much_output, lambda scene: output_top(scene) < 27, wheel(MouseScrollDown, 2)),
    "first": Played(much_output, lambda scene: scene.here.panel("output").top == 0, wheel(MouseScrollUp, 70)),
    "last": Played(much_output, lambda scene: scene.here.panel("output").follows, wheel(MouseScrollDown, 9)),
    "restart": Played(home, asks(RestartDialog)),
    "help": Played(home, asks(HelpDialog)),
    "quit": Played(home, asks(LeaveDialog)),
    "command_palette": Played(home, lambda scene: CommandPalette.is_open(scene.app)),
}
"""Played on one rank."""
ELSEWHERE: dict[str, Played] = {
    "rank": Played(home, lambda scene: scene.app.snapshot.rank == 1, target=RankTarget(1)),
    "no_hints": Played(home, lambda scene: not scene.app.guide.active, target=ActionTarget("no_hints")),
}
"""Played on two ranks, with the hints of the first run."""
assert set(DIGITS) <= set(NAMES)
