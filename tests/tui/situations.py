"""How each action of the registry comes to apply, what proves that it took effect, and where the mouse finds it.

One entry per action, beside the stage that they are played on. An action that is not here fails
`test_every_action.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from textual.command import CommandPalette
from textual.events import MouseScrollDown, MouseScrollUp
from tui.console_situations import evaluated, evaluating, typed
from tui.scene import WEIGHT, Scene, names_of

from stepdbg.protocol.breakpoint_text import destination
from stepdbg.protocol.messages import (
    AddBreakpoint,
    ApplyEdit,
    Breakpoint,
    EditPreview,
    Finding,
    FindingMet,
    Interrupt,
    Output,
    PreviewEdit,
    Steer,
)
from stepdbg.tui.actions.help_dialog import HelpDialog
from stepdbg.tui.dialogs.breakpoint import BreakpointDialog
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.dialogs.edit import EditDialog
from stepdbg.tui.dialogs.leave import LeaveDialog
from stepdbg.tui.dialogs.line import LineDialog
from stepdbg.tui.dialogs.restart import RestartDialog
from stepdbg.tui.dialogs.run_to import RunToDialog
from stepdbg.tui.dialogs.script_input import InputDialog
from stepdbg.tui.dialogs.watch import WatchDialog
from stepdbg.tui.drawing.lines import Target
from stepdbg.tui.files.save_dialog import SaveDialog
from stepdbg.tui.panel_base.registry import DIGITS, NAMES, PANELS
from stepdbg.tui.panels.graph.view import GRAPH, RowTarget
from stepdbg.tui.panels.source.variables import FrameTarget, VariableTarget
from stepdbg.tui.panels.tensor.slots import MAPS
from stepdbg.tui.panels.tensor.targets import PartTarget, SideTarget
from stepdbg.tui.records.exchanges import under_way
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.snapshot import neighbour
from stepdbg.tui.state.targets import ActionTarget, PhaseTarget, RankTarget

LARGE = (40, 160)
"""Rows and columns of a matrix whose heat map needs more pixels than the widest of the screens has."""


FOUND = Finding("stale-gradients", "error", "this step uses gradients of update 1 again", ("model.fc2.bias.grad",))
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
    await scene.settle()


async def on_a_finding(scene: Scene) -> None:
    run = scene.here.hub.session.run
    run.heard(next(iter(run.ranks)), FindingMet(FOUND))
    scene.here.hub.session._clients.changed()  # as the stop does that follows on it
    await scene.until(lambda: scene.app.snapshot.session.findings, "a finding")
    await scene.at("findings")
    scene.here.panel("findings").cursor = 0
    await scene.settle()


async def on_the_way(scene: Scene) -> None:
    """Paused on the way to an update."""
    scene.app.hub.send(AddBreakpoint(destination("4000", 1)))
    await scene.until(lambda: scene.app.snapshot.session.breakpoints, "a goal")
    await scene.settle()


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
    await scene.at("tensor")
    scene.here.tensor.look_at("images")
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
    scene.app.panel_layout.put(panel)
    graph = lambda: scene.app.snapshot.answer(GRAPH)  # noqa: E731
    kinds = lambda: [row.kind for row in graph().rows] if graph() and (graph().asked, graph().top) == ("", 0) else []  # noqa: E731
    await scene.until(lambda: "branch" in kinds(), "the graph")
    panel.cursor = kinds().index("branch")
    await scene.settle()


async def a_frame_up(scene: Scene) -> None:
    await scene.at("source")
    scene.app.snapshot = frames.walked(scene.app.snapshot, 1)
    scene.app.hub.ask()
    await scene.settle()


async def much_output(scene: Scene) -> None:
    await scene.at("output")
    scene.app.hub.receive(Output(0, b"".join(b"line %d\r\n" % number for number in range(200))))
    panel = scene.here.panel("output")

    def scrolled_back() -> bool:
        panel.follow()
        panel.scrolled(-27)
        return output_top(scene) == 27

    await scene.until(scrolled_back, "27 lines back, once the panel has its size")


async def on_the_rail(scene: Scene) -> None:
    scene.app.panel_layout.go_to_rail()
    scene.here.top.select_named("loss")
    await scene.settle()


async def second_row(scene: Scene) -> None:
    assert scene.here.panel("model").cursor > 0


# what is seen of it


def sent(message: object) -> Holds:
    return lambda scene: message in scene.sent


def stepped(action: str) -> Holds:
    return lambda scene: Steer(action, 0) in scene.sent and scene.app.snapshot.boundary > scene.boundary


def continued(scene: Scene) -> bool:
    """The hub has heard it: what is played next begins where training stands again."""
    gone = scene.hub_runs() or scene.app.snapshot.boundary > scene.boundary
    return Steer("continue", 0) in scene.sent and gone


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
    "continue": Played(home, continued),
    "run_to": Played(home, asks(RunToDialog)),
    "drop_goal": Played(on_the_way, breakpoints()),
    "console_interrupt": Played(evaluating, sent(Interrupt(0))),
    "pause": Played(runs, lambda scene: Steer("pause", 0) in scene.sent and scene.app.snapshot.paused),
    "break": Played(home, asks(BreakpointDialog)),
    "watch": Played(home, asks(WatchDialog)),
    "switch": Played(on_a_breakpoint, breakpoints(False)),
    "remove": Played(on_a_breakpoint, breakpoints()),
    "finding": Played(on_a_finding, lambda scene: scene.here.panel("findings").opened),
    "stop_on_finding": Played(at("findings"), breakpoints(True), target=ActionTarget("stop_on_finding")),
    "edit": Played(numbers, edits(whole=False)),
    "edit_all": Played(numbers, edits(whole=True)),
    "undo": Played(edited, lambda scene: all(edit.undone for edit in scene.app.snapshot.session.edits)),
    "back": Played(past, lambda scene: scene.app.snapshot.past_at is None),
    "leave_panel": Played(at("loss"), in_front("model")),
    "open": Played(home, lambda scene: scene.in_front("tensor") and scene.here.tensor.object == WEIGHT, row(0, 2)),
    "names": Played(at("effects"), lambda scene: scene.here.panel("effects").showing() == "names"),
    "history": Played(home, lambda scene: scene.in_front("loss") and scene.here.panel("loss").object == WEIGHT),
    "log_axis": Played(at("loss"), lambda scene: scene.here.panel("loss").logarithmic),
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
    "rail": Played(home, lambda scene: scene.app.panel_layout.focused_name() == "rail", target=PhaseTarget("loss")),
    "focus_next": Played(home, in_front("tensor"), title("tensor")),
    "focus_previous": Played(at("tensor"), in_front("model"), title("model")),
    "zoom": Played(home, lambda scene: scene.app.panel_layout.zoomed, columns=True),
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
