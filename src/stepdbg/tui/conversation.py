"""What the screen and the hub say to each other: messages become snapshots, panels' needs become questions.

The app knows one `Snapshot`; each message of the hub replaces it by the next, and what the visible panels then lack is
asked for. What the user does is in `actions`.
"""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from msgspec.structs import replace

from stepdbg.errors import StepdbgError
from stepdbg.hub.client import HubConnection
from stepdbg.protocol.messages import (
    FromClient,
    Identify,
    ListStops,
    LossPoints,
    Notice,
    Output,
    Progress,
    Query,
    ReadStop,
    ResizeTerminal,
    Result,
    Steer,
    ToClient,
    WatchPoints,
)
from stepdbg.tui.actions.typed_ahead import STEPS
from stepdbg.tui.drawing.pace import AHEAD, FLICKER, REST, TOGETHER
from stepdbg.tui.host import Host
from stepdbg.tui.state.answers import IDENTITY, PAST_STOP, STOPS, Arrived
from stepdbg.tui.state.attention import panel_to_show
from stepdbg.tui.state.panel_queries import PanelQuery, recalled
from stepdbg.tui.state.questions import Questions
from stepdbg.tui.state.reducer import reduced
from stepdbg.tui.state.snapshot import Lost, looking_at, looking_at_stop


class Conversation:
    """The conversation of one screen with its hub."""

    def __init__(self, app: Host, folder: Path) -> None:
        """Of the screen of that app with the hub that listens in that folder."""
        self._app = app
        self._folder = folder
        self.connection: HubConnection | None = None
        self.questions: Questions | None = None
        """What has been asked for and is still to come; None until there is a connection."""
        self.arriving = False
        """A stop has just come: first it is asked and painted what the user's eyes are on, then the rest."""
        self._stood = asyncio.Event()
        """Set where no step is under way whose stop is still to come."""
        self._stood.set()
        self._runs_since = 0.0
        """When training was last seen to go on, by the loop's clock."""

    @property
    def busy(self) -> bool:
        """Whether answers are still to come."""
        return self.questions is not None and self.questions.busy

    @property
    def underway(self) -> bool:
        """Whether the stop that a step leads to is still to come."""
        return not self._stood.is_set()

    async def stands(self, seconds: float) -> bool:
        """Wait for the stop that a step leads to, but no longer than so many seconds; whether it has come."""
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._stood.wait(), seconds)
        return self._stood.is_set()

    async def run(self) -> None:
        """Connect, and take what the hub says until it says nothing any more."""
        app = self._app
        try:
            self.connection = await HubConnection.open(self._folder, "screen")
        except StepdbgError as error:
            app.farewell = str(error)
            app.exit(2)
            return
        self.questions = Questions(self.connection, self._answered, self._settled)
        self.receive(self.connection.welcome)
        app.welcomed()
        self.tell_terminal_size()
        async for message in self.connection:
            self.receive(message)
        from stepdbg.tui.state.ending import what_became

        self.receive(what_became(self._folder, app.snapshot.session.ranks))

    def receive(self, message: ToClient | Lost) -> None:
        """A message of the hub."""
        app = self._app
        if isinstance(message, Notice):
            app.notify(message.text, severity=message.severity, timeout=8, markup=False)
            return
        before = app.snapshot
        app.snapshot = after = reduced(before, message)  # type: ignore[arg-type]
        if after is before:
            return
        if (after.paused and after.stop is not before.stop) or after.state not in ("paused", "running"):
            self._stood.set()
        if after.session.run != before.session.run and self.questions is not None:
            self.questions.forget()
            app.panel_layout.restore_front()
        if panel := panel_to_show(before, after):
            app.panel_layout.bring_to_front(panel)
        if app.snapshot.state == "running":
            # Until the next stop, or for a moment: a mixture of the last stop and what runs would only confuse.
            self.arriving = False
            now = asyncio.get_running_loop().time()
            self._runs_since = now if before.paused else self._runs_since
            self.ask()
            app.paint_within(max(0.0, self._runs_since + FLICKER - now))
            return
        self.arriving |= app.snapshot.paused and (app.snapshot.boundary, True) != (before.boundary, before.paused)
        self.ask()
        if isinstance(message, LossPoints | WatchPoints | Output | Progress):
            app.paint_within(AHEAD)
        else:
            app.paint_within(TOGETHER if self.busy else 0)

    def look_at_rank(self, rank: int) -> None:
        """Show that rank from now on, whichever else joins."""
        before = self._app.snapshot
        self._app.snapshot = replace(looking_at(before, rank), chosen=True)
        if before.rank != rank:
            self._stood.set()  # what is under way is another's
            self._look_elsewhere()

    def look_at_stop(self, boundary: int | None) -> None:
        """Show the stop at that boundary as it was; None shows the present. Training stays where it is."""
        before = self._app.snapshot
        self._app.snapshot = looking_at_stop(before, boundary)
        if self._app.snapshot is not before:
            self._app.panel_layout.trail.look_back(already=before.past_at is not None)
            self._look_elsewhere()

    def _look_elsewhere(self) -> None:
        """Ask and paint for another stop or rank; when that before is come back to, its answers are asked for anew."""
        if self.questions is not None:
            self.questions.forget_past()
        self.ask()
        self._app.paint_within(TOGETHER if self.busy else 0)

    def _answered(self, answer: Arrived) -> None:
        app = self._app
        wanted_at = app.snapshot.past_at
        app.snapshot = reduced(app.snapshot, answer)
        if wanted_at is not None and app.snapshot.past_at is None:
            app.notify("that stop is not kept any more; this is now", severity="warning", markup=False)
        seen = app.seen
        for panel in app.panel_layout.informed():
            panel.snapshot_changed(panel.snapshot, seen) if panel.snapshot is not seen else None
        self.ask()

    def _settled(self) -> None:
        """Paint a stop's answers in one frame, now that the last of them is here."""
        if self._app.snapshot.state != "running":
            self._app.paint()

    def ask(self) -> None:
        """Ask what the visible panels need now; what may take long comes last. When a stop has just come, only the one
        in focus is asked for, so that no rank is busy with the others while that is painted.
        """
        app = self._app
        if self.questions is None or app.snapshot.lost:
            return
        snapshot, seen = app.snapshot, app.seen
        if snapshot.stop is not None and not (snapshot.stops and snapshot.stops[-1].boundary >= snapshot.boundary):
            listed = snapshot.stops[-1].boundary if snapshot.stops else 0
            stops = PanelQuery(STOPS, ListStops(listed), snapshot.boundary)
            self.questions.ask_for([stops], snapshot.boundary, snapshot.rank)
        if snapshot.past_at is not None:
            past = PanelQuery(PAST_STOP, ReadStop(snapshot.past_at), snapshot.past_at)
            self.questions.ask_for([past], snapshot.past_at, snapshot.rank)
        panels = sorted(app.panel_layout.visible(), key=lambda panel: panel.costly)
        if self.arriving:
            panels = [panel for panel in panels if panel.in_focus]
        queries = [want for panel in panels for want in panel.queries(seen)]
        if seen.looking_back:
            panel = app.panel_layout.in_focus()
            name = panel.tensor_at_hand() if panel is not None else ""
            if name and all(want.slot != IDENTITY for want in queries):  # whether there is anything that `a` can show
                queries.append(PanelQuery(IDENTITY, Identify(name), seen.boundary))
            queries = recalled(queries, seen.boundary)
        self.questions.ask_for(queries, seen.boundary, snapshot.rank)

    def shown(self) -> None:
        """What the user's eyes are on at a new stop is on the screen: now the rest."""
        if not self.arriving:
            return
        self.arriving = False
        self.ask()
        self._app.paint_within(REST if self.busy else 0)

    def send(self, message: FromClient) -> None:
        """Say something to the hub; when it is gone, the header says so already."""
        if self.connection is not None:
            if isinstance(message, Steer) and message.action in STEPS:
                self._stood.clear()
            with contextlib.suppress(StepdbgError):
                self.connection.send(message)

    @property
    def connected(self) -> bool:
        """Whether there is, or was, a connection."""
        return self.connection is not None

    async def answer(self, query: Query, rank: int | None = None) -> Result:
        """The answer of a rank to a question, a `Refusal` among them; of the rank that is looked at if none is named.

        Raises:
            StepdbgError: there is no connection, or it has ended.
        """
        if self.connection is None:
            raise StepdbgError("there is no connection to the session")
        return await self.connection.ask(query, self._app.snapshot.rank if rank is None else rank)

    def forget(self) -> None:
        """Ask everything again at the next `ask`."""
        if self.questions is not None:
            self.questions.forget()

    def forget_stale(self) -> None:
        """Ask again at the next `ask` what an edit has changed."""
        if self.questions is not None:
            self.questions.forget_stale()

    async def idle(self, seconds: float) -> None:
        """Wait until the visible panels have all their answers, but no longer than so many seconds."""
        if self.questions is not None:
            await self.questions.idle(seconds)

    async def close(self) -> None:
        """Give up on all questions and close the connection."""
        if self.questions is not None:
            self.questions.close()
        if self.connection is not None:
            await self.connection.close()

    def tell_terminal_size(self) -> None:
        """The script prints for the width that its output is shown at."""
        columns, rows = self._app.panel_layout.output_size(self._app.size)
        self.send(ResizeTerminal(columns, rows))
