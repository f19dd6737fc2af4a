"""All that the screen draws from, as one frozen value; the next one is made from a message in `reducer`.

A widget gets a snapshot and draws it. Selections, cursors and scroll positions are the widgets' own.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from stepdbg.protocol.messages import (
    Noted,
    Progress,
    RankState,
    Result,
    SessionState,
    SourceText,
    Stop,
    Summary,
    Tick,
)
from stepdbg.tui.records.exchanges import Exchange
from stepdbg.tui.records.losses import Series
from stepdbg.tui.records.phase_lines import PhaseLines, Place
from stepdbg.tui.records.transcript import Transcript
from stepdbg.tui.records.watches import WatchSeries
from stepdbg.tui.state.answers import OBJECTS, OVERVIEW, A, Answer, Slot


class Lost(Struct, frozen=True):
    """The hub has hung up."""

    why: str
    ended: bool = False
    """Whether the session was ended on purpose, from elsewhere."""


class Snapshot(Struct, frozen=True):
    """The session as this screen knows it."""

    session: SessionState
    rank: int = 0
    """The rank that is looked at. All that follows, but for output and sources, is of that one."""
    chosen: bool = False
    """Whether the user has chosen the rank in view; if not, it is the lowest there is."""
    others: dict[int, Snapshot] = field(default_factory=dict)
    """What is known of the ranks that are not looked at; never changed in place."""
    progress: Progress | None = None
    losses: tuple[Series, ...] = ()
    watches: tuple[Series, ...] = ()
    """The values that the script hands to `stepdbg.watch`."""
    watched: WatchSeries = field(default_factory=dict)
    """The values of what the user watches."""
    output: Transcript = field(default_factory=Transcript)
    answers: Mapping[str, Answer] = field(default_factory=dict)
    """What the questions of the panels were answered, by the name of their slot; never changed in place."""
    problems: Mapping[str, str] = field(default_factory=dict)
    """Why those were refused that were refused last, in the same way."""
    summaries: dict[str, Summary] = field(default_factory=dict)
    """Figures of rows of the Model panel by the name of the object; never changed in place."""
    summaries_at: int = 0
    """The boundary that the summaries are of."""
    sources: dict[str, SourceText] = field(default_factory=dict)
    stops: tuple[Tick, ...] = ()
    """The stops so far, oldest first."""
    past_at: int | None = None
    """The boundary of the earlier stop that is looked at; None at the present."""
    past: Snapshot | None = None
    """What is known of that stop, or of the one looked at before, until the hub has answered."""
    looking_back: bool = False
    """Whether this is the past itself, as `seen` makes it."""
    frame: int | None = None
    """The frame that the user has chosen, by its place in `Stop.frames`."""
    frame_at: int = 0
    """The boundary that it was chosen at."""
    line_in_view: Place | None = None
    """A line of a file that is shown in the place of the frame's, until the next stop."""
    line_in_view_at: int = 0
    """The boundary at which it was asked for."""
    unfolded: bool = False
    """Whether the frames of libraries are gone through, too."""
    keys: Mapping[str, str] = field(default_factory=dict)
    """The user's own keys as people write them, by the id of the action: of every action."""
    phase_lines: PhaseLines = field(default_factory=dict)
    """Where phases were seen to be called; never changed in place."""
    last_line: Place | None = None
    """The newest of the places that stops have shown."""
    console: tuple[Exchange, ...] = ()
    asking: bool = False
    """Whether the script waits for a line of input."""
    read_to: int = 0
    """Bytes of the output that were on the screen."""
    noted: tuple[Noted, ...] = ()
    """What breakpoints have noted, the oldest first."""
    warned_at: int = 0
    """Bytes of the output up to the newest warning in it."""
    lost: str = ""
    """Why the hub is gone; empty while it is there."""
    ended: bool = False
    """Whether the connection is gone because the session was ended."""

    def answer(self, slot: Slot[A]) -> A | None:
        """The newest answer to the question of a slot; None before there is one."""
        known = self.answers.get(slot.name)
        return known.result if known is not None and isinstance(known.result, slot.kind) else None

    def answered_at(self, slot: Slot[Result]) -> int:
        """The boundary that this answer is of; 0 before there is one."""
        known = self.answers.get(slot.name)
        return known.boundary if known is not None else 0

    def problem(self, slot: Slot[Result]) -> str:
        """Why that question was refused; empty where it was not, or where it was answered since."""
        return self.problems.get(slot.name, "")

    @property
    def models(self) -> tuple[tuple[str, str], ...]:
        """All models, by name and class, as far as they are known."""
        known = self.answer(OBJECTS) or self.answer(OVERVIEW)
        if known is None:
            return ()
        return known.models or tuple((row.name, row.cls) for row in known.rows if row.node == "model")

    @property
    def leading(self) -> str:
        """The first parameter of all; empty before it is known."""
        known = self.answer(OBJECTS) or self.answer(OVERVIEW)
        if known is None:
            return ""
        return known.leading or next((row.name for row in known.rows if row.node == "parameter"), "")

    @property
    def rank_state(self) -> RankState | None:
        """The rank that is looked at, or None before there is one."""
        for state in self.session.ranks:
            if state.rank == self.rank:
                return state
        return None

    def key(self, action: str) -> str:
        """The key of the action of that id as people write it, for a sentence that names one."""
        return self.keys[action]

    def with_output_read(self) -> Snapshot:
        """The snapshot once all of the output has been on the screen."""
        return replace(self, read_to=self.output.end)

    def of_rank(self, rank: int) -> Snapshot:
        """What is known of a rank, looked at or not."""
        return self if rank == self.rank else self.others.get(rank) or Snapshot(self.session, rank, keys=self.keys)

    @property
    def stop(self) -> Stop | None:
        """Where training waits, or where it waited last."""
        state = self.rank_state
        return state.stop if state else None

    @property
    def state(self) -> str:
        """The state in the header: the rank's own once there is one, unless the session is over."""
        if self.lost:
            return "exited" if self.ended else "lost"
        state = self.rank_state
        return state.state if state and self.session.state not in ("exited", "lost") else self.session.state

    @property
    def news(self) -> str:
        """What of the output was not on the screen yet: `warning`, `output`, or nothing."""
        return "warning" if self.warned_at > self.read_to else "output" if self.output.end > self.read_to else ""

    @property
    def paused(self) -> bool:
        """Whether training waits and answers."""
        return self.state == "paused" and self.stop is not None

    @property
    def over(self) -> bool:
        """Whether nothing trains any more."""
        alive = {"starting", "running", "paused"}
        return self.state not in alive and (
            bool(self.lost) or self.session.state not in alive or all(r.state not in alive for r in self.session.ranks)
        )

    @property
    def ending(self) -> bool:
        """Whether the last stop of training is behind: what still runs is the rest of the script. An exception was not
        the last word where a later update runs: a thread of several has ended by it, or it was caught after all.
        """
        stop, progress = self.stop, self.progress
        if stop is None or stop.reason not in ("exit", "exception") or stop.boundary.next is not None:
            return False
        return not (
            stop.reason == "exception"
            and progress is not None
            and progress.rank == stop.boundary.rank
            and progress.update > stop.boundary.update
        )

    @property
    def trains(self) -> bool:
        """Whether a process is alive that would lose what it has learned: it starts, runs, or waits before a phase."""
        if self.over:
            return False
        alive = [rank for rank in self.session.ranks if rank.state in ("running", "paused")]
        ended = [rank for rank in alive if rank.stop is not None and rank.stop.reason in ("exit", "exception")]
        return len(ended) < len(alive) or not self.session.ranks

    @property
    def boundary(self) -> int:
        """The index of the boundary of `stop`; 0 before there is one."""
        stop = self.stop
        return stop.boundary.index if stop else 0

    @property
    def seen(self) -> Snapshot:
        """What is to be drawn: this, or the past that is looked at, with what is not of one moment as it is now."""
        if self.past is None or self.past_at is None:
            return self
        past = self.past
        return replace(
            past,
            session=standing_at(self.session, past.rank, past.stop),
            others=self.others,
            losses=self.losses,
            watches=self.watches,
            watched=self.watched,
            output=self.output,
            asking=self.asking,
            read_to=self.read_to,
            warned_at=self.warned_at,
            noted=self.noted,
            sources=self.sources,
            stops=self.stops,
            phase_lines=self.phase_lines,
            last_line=self.last_line,
            console=self.console,
            past_at=self.past_at,
        )


def looking_at_stop(snapshot: Snapshot, boundary: int | None) -> Snapshot:
    """The snapshot with the stop at that boundary in view, or, for None or the present one, with the present."""
    if boundary is None or boundary >= snapshot.boundary:
        return replace(snapshot, past_at=None, past=None) if snapshot.past_at is not None else snapshot
    return replace(snapshot, past_at=boundary)


def neighbour(snapshot: Snapshot, step: int) -> int | None:
    """The boundary of the stop before (-1) or after (1) the one in view; None where there is none kept."""
    here = snapshot.boundary if snapshot.past_at is None else snapshot.past_at
    if step < 0:
        return next((tick.boundary for tick in reversed(snapshot.stops) if tick.boundary < here), None)
    return next((tick.boundary for tick in snapshot.stops if tick.boundary > here), None)


def onwards(snapshot: Snapshot, action: str) -> int | None:
    """The stop that a key which steers leads to in the past: the next one, the first of the next update, or the next
    breakpoint met; None for the present.
    """
    here = snapshot.boundary if snapshot.past_at is None else snapshot.past_at
    update = max((tick.update for tick in snapshot.stops if tick.boundary <= here), default=0)
    for tick in snapshot.stops:
        if tick.boundary > here and (
            action not in ("finish", "continue")
            or (action == "finish" and tick.update > update)
            or (action == "continue" and tick.reason in ("breakpoint", "nan", "exception"))
        ):
            return tick.boundary
    return None


def standing_at(session: SessionState, rank: int, stop: Stop | None) -> SessionState:
    """The session as if that rank stood at that stop."""
    ranks = tuple(
        msgspec.structs.replace(one, state="paused", stop=stop) if one.rank == rank else one for one in session.ranks
    )
    return msgspec.structs.replace(session, state="paused", ranks=ranks)


def looking_at(snapshot: Snapshot, rank: int) -> Snapshot:
    """The snapshot with another rank in view. What was known of it is there again, and of this one is kept."""
    if rank == snapshot.rank:
        return snapshot
    others = {number: other for number, other in snapshot.others.items() if number != rank}
    others[snapshot.rank] = replace(looking_at_stop(snapshot, None), others={}, output=Transcript(), sources={})
    return replace(
        snapshot.of_rank(rank),
        session=snapshot.session,
        chosen=snapshot.chosen,
        others=others,
        output=snapshot.output,
        asking=snapshot.asking,
        read_to=snapshot.read_to,
        warned_at=snapshot.warned_at,
        noted=snapshot.noted,
        sources=snapshot.sources,
        lost=snapshot.lost,
        ended=snapshot.ended,
    )


def next_rank(snapshot: Snapshot) -> int:
    """The rank after the one in view; after the last comes the first."""
    numbers = [state.rank for state in snapshot.session.ranks]
    return next((number for number in numbers if number > snapshot.rank), numbers[0] if numbers else snapshot.rank)
