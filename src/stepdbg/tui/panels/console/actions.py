"""What the actions of the console do: its commands are sent to the rank that is looked at, and their answers kept."""

from __future__ import annotations

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import Complete, Completions, Evaluate, Evaluated, Interrupt, Query, Refusal, Result
from stepdbg.tui.host import Host
from stepdbg.tui.panels.console.panel import ConsolePanel
from stepdbg.tui.records.exchanges import Cleared, Exchange, Replied, Typed
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.reducer import reduced


class ConsoleActions:
    """Types, runs, completes, interrupts."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._ahead: list[str] = []
        """Commands typed while another was run, to be run after it."""

    @property
    def _panel(self) -> ConsolePanel:
        return self._host.panel_layout.panel(ConsolePanel)

    async def open(self) -> None:
        """Go to the console, and have the keys go to its input."""
        self._host.panel_layout.go_to("console", "console")
        await self.begin()

    def leave(self) -> None:
        """Leave the input, so that keys step again."""
        self._panel.rests = True
        self._host.panel_layout.go_to("console", noted=False)

    def clear(self) -> None:
        """Clear the console, but for what still runs."""
        self._host.snapshot = reduced(self._host.snapshot, Cleared())
        self._host.paint()

    def interrupt(self) -> None:
        """Interrupt what the console runs; what waits for it is not run either."""
        self._ahead.clear()
        self._say_what_waits()
        self._host.hub.send(Interrupt(self._host.snapshot.rank))

    def run(self) -> None:
        """Run what was typed."""
        if (line := self._panel.input) is not None:
            line.enter()

    def tab(self) -> None:
        """Complete a name, or indent a line."""
        if (line := self._panel.input) is not None:
            line.tab()

    def recall(self) -> None:
        """Take up what was typed before."""
        if (line := self._panel.input) is not None:
            line.recall(1)

    async def begin(self) -> None:
        """Have the keys go to the input, where something can be typed."""
        panel = self._panel
        if panel.input is None or not panel.input.has_focus:
            await panel.type()
        if panel.input is not None:
            panel.input.past = self._host.history  # grows there, and is kept with the script
        if not panel.typing:  # otherwise the app paints when the focus has arrived
            self._host.paint()

    async def evaluate(self, source: str) -> None:
        """Have a command run, and show what came of it; that may take for ever. It waits for the one before."""
        panel = self._panel
        waits = panel.waits(self._host.snapshot)
        panel.done()
        if waits:
            self._ahead.append(source)
            self._say_what_waits()
            return
        rank = self._host.snapshot.rank
        await self._run(source)
        while self._ahead and self._host.snapshot.rank == rank and not panel.waits(self._host.snapshot):
            source = self._ahead.pop(0)
            self._say_what_waits()
            await self._run(source)
        self._ahead.clear()
        self._say_what_waits()

    async def _run(self, source: str) -> None:
        host = self._host
        rank, place = host.snapshot.rank, frames.chosen(host.snapshot)
        where = frames.in_words(frames.chosen_frame(host.snapshot))
        host.snapshot = reduced(host.snapshot, Typed(Exchange(source, where), rank))
        host.paint()
        result = await self._answer(Evaluate(place, source), rank)
        if isinstance(result, Evaluated | Refusal):
            host.snapshot = reduced(host.snapshot, Replied(result, rank))
        host.hub.forget()  # it may have changed anything
        host.hub.ask()
        host.paint()

    def _say_what_waits(self) -> None:
        """That a command waits for the one before; nothing once that is done."""
        first = self._ahead[0].partition("\n")[0] if self._ahead else ""
        more = f", and {len(self._ahead) - 1} more" if len(self._ahead) > 1 else ""
        interrupt = self._host.snapshot.key("console_interrupt")
        self._panel.say(f"{first}{more}: waits for the command before; {interrupt} interrupts it" if first else "")

    async def complete(self, text: str) -> None:
        """Ask what a line could go on as."""
        host = self._host
        result = await self._answer(Complete(frames.chosen(host.snapshot), text), host.snapshot.rank)
        if isinstance(result, Completions):
            self._panel.offer(text, result)
        elif isinstance(result, Refusal):
            self._panel.say(result.problem)

    async def _answer(self, query: Query, rank: int) -> Result:
        try:
            return await self._host.hub.answer(query, rank)
        except StepdbgError as error:
            return Refusal(str(error))
