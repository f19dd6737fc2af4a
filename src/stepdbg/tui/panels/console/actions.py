"""What the actions of the console do: its commands are sent to the rank that is looked at, and their answers kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import Complete, Completions, Evaluate, Evaluated, Interrupt, Query, Refusal, Result
from stepdbg.tui.actions.registry import key_of
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.exchanges import Cleared, Exchange, Replied, Typed
from stepdbg.tui.state.snapshot import reduced

if TYPE_CHECKING:
    from stepdbg.tui.app import StepdbgApp
    from stepdbg.tui.panels.console.panel import ConsolePanel


class ConsoleDeeds:
    """Types, runs, completes, interrupts."""

    def __init__(self, app: StepdbgApp) -> None:
        self._app = app

    @property
    def _panel(self) -> ConsolePanel:
        return cast("ConsolePanel", self._app.furniture.panels["console"])

    async def do(self, name: str) -> None:
        """Do the action of that id. The caller has seen that it applies."""
        app, line = self._app, self._panel.input
        match name:
            case "console":
                app.furniture.go_to("console", "console")
                await self.begin()
            case "console_leave":
                self._panel.rests = True
                app.furniture.go_to("console", noted=False)
            case "console_clear":
                app.snapshot = reduced(app.snapshot, Cleared())
                app.paint()
            case "console_interrupt":
                app.hub.send(Interrupt(app.snapshot.rank))
            case "console_run" if line is not None:
                line.enter()
            case "console_complete" if line is not None:
                line.tab()
            case "console_history" if line is not None:
                line.recall(1)

    async def begin(self) -> None:
        """Have the keys go to the input, where something can be typed."""
        panel = self._panel
        if panel.input is None or not panel.input.has_focus:
            await panel.type()
        if panel.input is not None:
            panel.input.past = self._app.memory.history  # grows there, and is kept with the script
        self._app.paint()

    async def evaluate(self, source: str) -> None:
        """Have a command run, and show what came of it; that may take for ever."""
        app, panel = self._app, self._panel
        if panel.waits(app.snapshot):
            interrupt = key_of("console_interrupt", app.snapshot)
            panel.say(f"the command before is still running; {interrupt} interrupts it")
            return
        panel.done()
        rank, place = app.snapshot.rank, frames.chosen(app.snapshot)
        where = frames.in_words(frames.chosen_frame(app.snapshot))
        app.snapshot = reduced(app.snapshot, Typed(Exchange(source, where), rank))
        app.paint()
        result = await self._answer(Evaluate(place, source), rank)
        if isinstance(result, Evaluated | Refusal):
            app.snapshot = reduced(app.snapshot, Replied(result, rank))
        if app.hub.questions is not None:
            app.hub.questions.forget()  # it may have changed anything
        app.hub.ask()
        app.paint()

    async def complete(self, text: str) -> None:
        """Ask what a line could go on as."""
        app = self._app
        result = await self._answer(Complete(frames.chosen(app.snapshot), text), app.snapshot.rank)
        if isinstance(result, Completions):
            self._panel.offer(text, result)
        elif isinstance(result, Refusal):
            self._panel.say(result.problem)

    async def _answer(self, query: Query, rank: int) -> Result:
        connection = self._app.hub.connection
        if connection is None:
            return Refusal("there is no connection to the session")
        try:
            return await connection.ask(query, rank)
        except StepdbgError as error:
            return Refusal(str(error))
