"""What each action does: the other half of the registry in `actions`."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import (
    Edit,
    EditDone,
    Interrupt,
    Leave,
    Query,
    Refusal,
    RemoveBreakpoint,
    Restart,
    Result,
    SendInput,
    ShowStack,
    Steer,
    SwitchBreakpoint,
    UndoEdit,
)
from stepdbg.tui.actions.registry import key_of
from stepdbg.tui.files.copy_and_save import Keeping
from stepdbg.tui.panels.breakpoints.view import edit_words
from stepdbg.tui.panels.console.actions import ConsoleDeeds
from stepdbg.tui.panels.tensor.actions import TENSOR_DEEDS, TensorDeeds
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.snapshot import Snapshot, neighbour, next_rank, onwards
from stepdbg.tui.top.header import exit_words

if TYPE_CHECKING:
    from stepdbg.protocol.messages import Breakpoint
    from stepdbg.tui.app import StepdbgApp
    from stepdbg.tui.panels.effects.panel import EffectsPanel
    from stepdbg.tui.panels.graph.panel import TensorOrGraph
    from stepdbg.tui.panels.model.panel import ModelPanel
    from stepdbg.tui.panels.optimizer.panel import OptimizerPanel
    from stepdbg.tui.panels.source.panel import SourcePanel

PATIENCE = 2.0
"""Seconds that `e` waits for the numbers of a tensor that has just been opened."""
_STEERING = ("next", "into", "operator", "finish", "continue")


class Deeds:
    """Does what the user asks for."""

    def __init__(self, app: StepdbgApp) -> None:
        self._app = app
        self._keeping = Keeping(app, self._answer)
        self.console = ConsoleDeeds(app)
        self.tensor = TensorDeeds(app, self._answer)
        self._pauses = 0
        """Pauses asked for since training last stood."""
        self._pauses_since = (0, 0)

    async def do(self, name: str) -> None:
        """Do the action of that id. The caller has seen that it applies."""
        app = self._app
        if name in _STEERING and app.snapshot.past_at is not None:
            self._through_the_past(name)
        elif name in _STEERING:
            app.hub.send(Steer(name, app.snapshot.rank))  # type: ignore[arg-type]
            app.hub.look_at_stop(None)
            app.hub.look_at_rank(app.snapshot.rank)
        elif name.startswith("panel_"):
            if name == "panel_effects":
                self._effects().show_first()
            app.furniture.go_to(name.removeprefix("panel_"))
            if name == "panel_console":
                await self.console.begin()
        elif name in TENSOR_DEEDS:
            await self.tensor.do(name)
        elif name.startswith("console"):
            await self.console.do(name)
        elif name == "command_palette":
            app.action_command_palette()
        elif name in ("focus_next", "focus_previous"):
            app.furniture.cycle(1 if name == "focus_next" else -1)
            if app.furniture.focused_name() == "console":
                await self.console.begin()
        elif name in ("up", "down", "left", "right", "page_up", "page_down", "first", "last"):
            self._move(name)
        else:
            await getattr(self, f"_{name}")()

    def picked(self, kind: str, name: str) -> None:
        """Something was clicked."""
        furniture = self._app.furniture
        if kind == "phase":
            furniture.go_to_rail()
            furniture.top.select_named(name)
        elif kind == "panel":
            furniture.go_to(name)
        elif kind == "rank":
            self._app.hub.look_at_rank(int(name))
        elif kind == "stop":
            self._app.hub.look_at_stop(int(name))
        elif kind == "effect":
            self._effects().pick_column(name)
        elif kind == "ledger":
            self._optimizer().pick_cell(int(name.rpartition(":")[2]))
        elif kind == "owned":
            self.open(name)
        elif kind == "part":
            self._tensor().show_part(name)
        elif kind == "side":
            self._tensor().show_side(name)
        elif kind == "cell":
            row, _, column = name.partition(":")
            self._tensor().pick_cell(int(row), int(column))
        elif kind == "graph":
            self._tensor().pick_graph_row(int(name))
        elif kind == "frame":
            self._look(frames.looking_at_frame(self._app.snapshot, int(name)))
        elif kind == "local":
            self._source().pick_variable(int(name))
        elif kind == "fold":
            self._model().toggle(name)
        elif kind == "constants":
            self._optimizer().fold(name)
        elif kind == "sort":
            self._model().sort(name)
        elif kind == "switch":
            self._app.call_later(self._switch)

    def open(self, name: str) -> None:
        """Show an object in the Tensor panel."""
        self._tensor().look_at(name)
        self._app.furniture.go_to("tensor", "tensor")

    def _tensor(self) -> TensorOrGraph:
        panel = self._app.furniture.panels["tensor"]
        return cast("TensorOrGraph", panel)

    def _model(self) -> ModelPanel:
        return cast("ModelPanel", self._app.furniture.panels["model"])

    def _effects(self) -> EffectsPanel:
        panel = self._app.furniture.panels["effects"]
        return cast("EffectsPanel", panel)

    def _optimizer(self) -> OptimizerPanel:
        return cast("OptimizerPanel", self._app.furniture.panels["optimizer"])

    def _source(self) -> SourcePanel:
        return cast("SourcePanel", self._app.furniture.panels["source"])

    def _move(self, name: str) -> None:
        panel = self._app.furniture.in_focus()
        if panel is None:
            steps = {"left": -1, "right": 1, "up": -1, "down": 1, "first": -1_000, "last": 1_000}
            self._app.furniture.top.select(steps.get(name, 0))
            return
        match name:
            case "up" | "down":
                panel.move(-1 if name == "up" else 1)
            case "left" | "right":
                panel.move(0, -1 if name == "left" else 1)
            case "page_up" | "page_down":
                panel.page(-1 if name == "page_up" else 1)
            case _:
                panel.go_to(0 if name == "first" else -1)

    async def _pause(self) -> None:
        """Pause; when a second one is asked for while nothing has stopped, show where it hangs."""
        app = self._app
        since = (app.snapshot.rank, app.snapshot.boundary)
        if self._pauses_since != since:
            self._pauses, self._pauses_since = 0, since
        self._pauses += 1
        app.hub.send(Steer("pause", app.snapshot.rank))
        if self._pauses > 1:
            app.hub.send(ShowStack(app.snapshot.rank))
            output = self.key_of("panel_output")
            whose = f"of rank {app.snapshot.rank}" if len(app.snapshot.session.ranks) > 1 else "of every thread"
            where = f"in the Output panel ({output})" if app.snapshot.session.terminal else "where the script prints"
            app.notify(f"the stack {whose} is {where}", markup=False)

    async def _rank(self) -> None:
        self._app.hub.look_at_rank(next_rank(self._app.snapshot))

    async def _break(self) -> None:
        from stepdbg.tui.dialogs.breakpoint import BreakpointDialog

        app, panel = self._app, self._app.furniture.in_focus()
        if panel is not None and (why := panel.no_phase()):
            app.remark(f"{self.key_of('break')}: {why}")
            return
        phase = (panel.phase() if panel is not None else None) or app.furniture.top.phase()
        if phase is None:
            app.notify("there is no phase to stop at yet", severity="warning", markup=False)
            return
        stop = app.snapshot.stop
        update = stop.boundary.update if stop else 0
        dialog = BreakpointDialog(phase, app.snapshot.session.breakpoints, update, app.glyphs)
        app.push_screen(dialog, lambda message: app.hub.send(message) if message is not None else None)

    async def _switch(self) -> None:
        one = self._breakpoint()
        if one is not None:
            self._app.hub.send(SwitchBreakpoint(one.number, not one.enabled))

    async def _remove(self) -> None:
        one = self._breakpoint()
        if one is not None:
            self._app.hub.send(RemoveBreakpoint(one.number))

    def _breakpoint(self) -> Breakpoint | None:
        panel = self._app.furniture.panels["breaks"]
        return panel.breakpoint()

    async def _edit(self, whole: bool = False) -> None:
        from stepdbg.tui.dialogs.edit import EditDialog

        panel = self._app.furniture.in_focus()
        target = panel.editable() if panel is not None else None
        if panel is not None and target is None and self._app.hub.questions is not None:
            await self._app.hub.questions.idle(PATIENCE)
            target = panel.editable()
        if target is not None:
            app, rank = self._app, self._app.snapshot.rank
            dialog = EditDialog(target, self._answer, lambda: app.hub.send(Interrupt(rank)), app.glyphs, whole=whole)
            self._app.push_screen(dialog, self._edited)

    async def _edit_all(self) -> None:
        await self._edit(whole=True)

    def _edited(self, edit: Edit | None) -> None:
        """An edit is done: what the panels know is old."""
        if edit is None:
            return
        app = self._app
        app.notify(edit_words(edit, app.glyphs), markup=False)
        if app.hub.questions is not None:
            app.hub.questions.forget(
                "tensor", "part", "maps", "pictures", "beside", "summaries", "optimizers", "identity", "graph",
                "foresight", "locals",
            )  # fmt: skip
        app.hub.ask()

    async def _undo(self) -> None:
        result = await self._answer(UndoEdit())
        if isinstance(result, Refusal):
            self._app.notify(result.problem, severity="warning", markup=False)
        elif isinstance(result, EditDone):
            self._edited(result.edit)

    async def _answer(self, query: Query) -> Result:
        """The answer of the rank that is looked at."""
        connection = self._app.hub.connection
        if connection is None:
            raise StepdbgError("there is no connection to the session")
        return await connection.ask(query, self._app.snapshot.rank)

    async def _open(self) -> None:
        panel = self._app.furniture.in_focus()
        if panel is not None and (name := panel.chosen()):
            self.open(name)

    async def _came_out(self) -> None:
        """Open what the unit of an inner stop is about."""
        stop = self._app.snapshot.seen.stop
        if stop is not None and stop.inner is not None and stop.inner.tensors:
            self.open(stop.inner.tensors[0].object)

    async def _names(self) -> None:
        self._effects().list_names()

    async def _owners(self) -> None:
        """Show who owns what is under the cursor."""
        panel = self._app.furniture.in_focus()
        if panel is not None and (name := panel.tensor_at_hand()):
            self._effects().identify(name, panel.panel)
            self._app.furniture.go_to("effects", "owners")

    async def _graph(self) -> None:
        """Show the graph behind what is under the cursor; where nothing is, the loss's."""
        panel = self._app.furniture.in_focus()
        self._tensor().show_graph(panel.tensor_at_hand() if panel is not None else "")
        self._app.furniture.go_to("tensor", "graph")

    async def _graph_row(self) -> None:
        self._tensor().open_row()

    async def _foresee(self) -> None:
        """Show what step would do to what is under the cursor; there again: back to the list."""
        panel, optimizer = self._app.furniture.in_focus(), self._optimizer()
        if panel is optimizer and optimizer.view == "foresight":
            await self._back()
        elif panel is not None and (name := panel.tensor_at_hand()):
            optimizer.foresee(name)
            self._app.furniture.go_to("optimizer", "foresight")

    async def _back(self) -> None:
        """One thing at a time: out of a list or graph and to where it was opened from, then out of the past."""
        effects, tensor, optimizer = self._effects(), self._tensor(), self._optimizer()
        furniture, past = self._app.furniture, self._app.snapshot.past_at is not None
        panel = furniture.in_focus()
        opened = furniture.trail.opened(furniture.focused_name(), in_past=past)
        if panel is optimizer and optimizer.view == "foresight":
            optimizer.show_list()
            if opened is not None and opened.view == "foresight":
                furniture.go_back()
        elif panel is effects and (effects.showing() != "matrix" or effects.came_from):
            if origin := effects.go_back():
                furniture.go_back(origin)
        elif panel is tensor and tensor.graphed:
            tensor.show_tensor()
            if opened is not None and opened.view == "graph":
                furniture.go_back()
        elif opened is not None or not past:
            furniture.go_back()
        else:
            self._app.hub.look_at_stop(None)

    async def _leave_panel(self) -> None:
        self._app.furniture.go_back()

    def _through_the_past(self, name: str) -> None:
        """What steers training moves among its stops while those are looked at, and says how to steer again."""
        app = self._app
        where = onwards(app.snapshot, name)
        app.hub.look_at_stop(where)
        key = self.key_of(name)
        if app.snapshot.past_at is None:
            app.remark(f"this is now again: from here {key} steers training")
        else:
            app.remark(f"{key} moves among the stops of the past; {self.key_of('back')} goes to now, to steer training")

    async def _earlier(self) -> None:
        self._app.hub.look_at_stop(neighbour(self._app.snapshot, -1))

    async def _later(self) -> None:
        self._app.hub.look_at_stop(neighbour(self._app.snapshot, 1))

    # the tree of the Model panel

    async def _find(self) -> None:
        self._app.furniture.go_to("model", "find")
        self._model().find()

    async def _find_tensor(self) -> None:
        await self._find()

    async def _find_done(self) -> None:
        self._model().find_done()

    async def _find_clear(self) -> None:
        self._model().find_clear()

    async def _sort(self) -> None:
        self._model().sort()

    async def _fold(self) -> None:
        (self._optimizer() if self._app.furniture.focused_name() == "optimizer" else self._model()).fold()

    async def _fold_all(self) -> None:
        self._model().fold_all(fold=True)

    async def _unfold_all(self) -> None:
        self._model().fold_all(fold=False)

    async def _part(self) -> None:
        self._tensor().next_part()

    async def _map(self) -> None:
        self._tensor().next_mode()

    async def _pool(self) -> None:
        self._tensor().next_pool()

    async def _slice_next(self) -> None:
        self._tensor().step_slice(1)

    async def _slice_previous(self) -> None:
        self._tensor().step_slice(-1)

    async def _copy(self) -> None:
        self._keeping.copy(more=False)

    async def _copy_more(self) -> None:
        self._keeping.copy(more=True)

    async def _save(self) -> None:
        self._keeping.save()

    # frames

    def _look(self, snapshot: Snapshot) -> None:
        """Another frame is looked at."""
        self._app.snapshot = snapshot
        self._app.hub.ask()
        self._app.paint()

    async def _frame_up(self) -> None:
        self._look(frames.walked(self._app.snapshot, 1))

    async def _frame_down(self) -> None:
        self._look(frames.walked(self._app.snapshot, -1))

    async def _unfold(self) -> None:
        self._look(frames.unfolded(self._app.snapshot))

    async def _variables(self) -> None:
        self._source().switch()

    async def _input(self) -> None:
        from stepdbg.tui.dialogs.script_input import InputDialog

        app = self._app
        dialog = InputDialog(app.snapshot.session.script, app.glyphs)
        app.push_screen(dialog, lambda line: app.hub.send(SendInput(line.encode())) if line is not None else None)

    def key_of(self, name: str) -> str:
        """The key of an action, as people write it."""
        return key_of(name, self._app.snapshot)

    async def _no_hints(self) -> None:
        self._app.guide.dismiss()

    async def _rail(self) -> None:
        self._app.furniture.go_to_rail()

    async def _zoom(self) -> None:
        self._app.furniture.zoom()

    async def _help(self) -> None:
        from stepdbg.tui.actions.help_dialog import HelpDialog

        self._app.push_screen(HelpDialog(self._app.situation(), self._app.glyphs))

    async def _restart(self) -> None:
        """Run the script again; asks while there is something to lose."""
        from stepdbg.tui.dialogs.restart import RestartDialog

        app = self._app
        if not app.snapshot.trains:
            app.hub.send(Restart())
            return
        dialog = RestartDialog(app.snapshot, app.glyphs)
        app.push_screen(dialog, lambda again: app.hub.send(Restart()) if again else None)

    async def _quit(self) -> None:
        from stepdbg.tui.dialogs.leave import LeaveDialog

        app = self._app
        if app.snapshot.over or app.hub.connection is None:
            await self._leave("stay")
            return
        alive = [rank for rank in app.snapshot.session.ranks if rank.state in ("running", "paused")]
        running = any(rank.state == "running" for rank in alive)
        dialog = LeaveDialog(app.snapshot.session.name, running, len(alive), app.glyphs)

        def leave(how: str | None) -> None:
            if how is not None:
                app.call_later(self._leave, how)

        app.push_screen(dialog, leave)

    async def _leave(self, how: str) -> None:
        """Tell the hub how, hang up, close the screen."""
        app = self._app
        over = app.snapshot.over
        app.left = over or how == "stop"
        name = app.snapshot.session.name
        app.hub.send(Leave(how))  # type: ignore[arg-type]
        if not over:
            ways = f"`stepdbg attach {name}` comes back, `stepdbg stop {name}` ends it"
            app.farewell = {
                "go on": f"detached, training goes on; {ways}",
                "stay": f"detached, training stays as it is; {ways}",
                "stop": "training is stopped",
            }[how]
        elif (status := app.snapshot.session.exit_status) is not None and status != 0:
            app.farewell = f"{app.snapshot.session.script} ended {exit_words(status)}"
        if app.hub.questions is not None:
            app.hub.questions.close()
        if app.hub.connection is not None:
            await app.hub.connection.close()
        app.exit(0)
