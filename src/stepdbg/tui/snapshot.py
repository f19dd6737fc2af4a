"""All that the screen draws from, as one frozen value, and the one function that makes the next from a message.

A widget gets a snapshot and draws it. Selections, cursors and scroll positions are the widgets' own.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from stepdbg.protocol.messages import (
    HeatMaps,
    LossPoints,
    Notice,
    Objects,
    Optimizers,
    Output,
    Pictures,
    Progress,
    RankState,
    Refusal,
    Result,
    SessionChanged,
    SessionState,
    SourceText,
    Stop,
    Summaries,
    Summary,
    TensorView,
    Welcome,
)
from stepdbg.tui.losses import Series, grown
from stepdbg.tui.transcript import Transcript

FromHub = Welcome | SessionChanged | Progress | LossPoints | Output | Notice


@dataclass(frozen=True, slots=True)
class Lost:
    """The hub has hung up."""

    why: str


@dataclass(frozen=True, slots=True)
class Arrived:
    """What a question was answered."""

    slot: str
    """What it was asked for: `objects`, `summaries`, `tensor`, `part`, `maps`, `pictures`, `optimizers`, `source`."""
    boundary: int
    """The index of the boundary at which it was asked."""
    result: Result
    rank: int = 0
    """Who was asked."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The session as this screen knows it."""

    session: SessionState
    rank: int = 0
    """The rank that is looked at. All that follows, but for output and sources, is of that one."""
    chosen: bool = False
    """Whether the user wants that one; if not, it is the lowest there is."""
    others: dict[int, Snapshot] = field(default_factory=dict)
    """What is known of the ranks that are not looked at; never changed in place."""
    progress: Progress | None = None
    losses: tuple[Series, ...] = ()
    watches: tuple[Series, ...] = ()
    """The values that the script hands to `stepdbg.watch`."""
    output: Transcript = field(default_factory=Transcript)
    objects: Objects | None = None
    summaries: dict[str, Summary] = field(default_factory=dict)
    """By the name of the object; never changed in place."""
    summaries_at: int = 0
    """The boundary that the summaries are of."""
    tensor: TensorView | None = None
    """The selected tensor, with the figures of everything that hangs on it."""
    part: TensorView | None = None
    """The part of it that is shown in full: its histogram and the window of numbers."""
    maps: HeatMaps | None = None
    """Heat maps of its parts."""
    pictures: Pictures | None = None
    """Its images, where it holds some."""
    tensor_problem: str = ""
    optimizers: Optimizers | None = None
    sources: dict[str, SourceText] = field(default_factory=dict)
    lost: str = ""
    """Why the hub is gone; empty while it is there."""

    @property
    def rank_state(self) -> RankState | None:
        """The rank that is looked at, or None before there is one."""
        for state in self.session.ranks:
            if state.rank == self.rank:
                return state
        return None

    def of_rank(self, rank: int) -> Snapshot:
        """What is known of a rank, looked at or not."""
        return self if rank == self.rank else self.others.get(rank) or Snapshot(self.session, rank)

    @property
    def stop(self) -> Stop | None:
        """Where training waits, or where it waited last."""
        state = self.rank_state
        return state.stop if state else None

    @property
    def state(self) -> str:
        """The state in the header: the rank's own once there is one, unless the session is over."""
        if self.lost:
            return "lost"
        state = self.rank_state
        return state.state if state and self.session.state not in ("exited", "lost") else self.session.state

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


def reduced(snapshot: Snapshot, message: FromHub | Arrived | Lost) -> Snapshot:
    """The snapshot after a message."""
    match message:
        case Welcome(session=session) | SessionChanged(session=session):
            if session.run != snapshot.session.run:
                snapshot = Snapshot(session)
            known = {state.rank for state in session.ranks}
            keeps = not known or (snapshot.chosen and snapshot.rank in known)
            return looking_at(replace(snapshot, session=session), snapshot.rank if keeps else min(known))
        case Progress(rank=rank) | LossPoints(rank=rank) if rank != snapshot.rank:
            other = reduced(snapshot.of_rank(rank), message)
            return replace(snapshot, others={**snapshot.others, rank: other})
        case Progress():
            return replace(snapshot, progress=message)
        case LossPoints(watched=True):
            return replace(snapshot, watches=grown(snapshot.watches, message))
        case LossPoints():
            return replace(snapshot, losses=grown(snapshot.losses, message))
        case Output():
            return replace(snapshot, output=snapshot.output.fed(message.start, message.data))
        case Lost(why=why):
            return replace(snapshot, lost=why)
        case Arrived(rank=rank) if rank == snapshot.rank:
            return _answered(snapshot, message)
    return snapshot


def looking_at(snapshot: Snapshot, rank: int) -> Snapshot:
    """The snapshot with another rank in view. What was known of it is there again, and of this one is kept."""
    if rank == snapshot.rank:
        return snapshot
    others = {number: other for number, other in snapshot.others.items() if number != rank}
    others[snapshot.rank] = replace(snapshot, others={}, output=Transcript(), sources={})
    return replace(
        snapshot.of_rank(rank),
        session=snapshot.session,
        chosen=snapshot.chosen,
        others=others,
        output=snapshot.output,
        sources=snapshot.sources,
        lost=snapshot.lost,
    )


def next_rank(snapshot: Snapshot) -> int:
    """The rank after the one in view; after the last comes the first."""
    numbers = [state.rank for state in snapshot.session.ranks]
    return next((number for number in numbers if number > snapshot.rank), numbers[0] if numbers else snapshot.rank)


def _answered(snapshot: Snapshot, answer: Arrived) -> Snapshot:
    result = answer.result
    match result:
        case Objects():
            return replace(snapshot, objects=result)
        case Summaries(rows=rows):
            fresh = {row.object: row for row in rows}
            kept = snapshot.summaries if answer.boundary == snapshot.summaries_at else {}
            return replace(snapshot, summaries={**kept, **fresh}, summaries_at=answer.boundary)
        case TensorView() if answer.slot == "tensor":
            return replace(snapshot, tensor=result, tensor_problem="")
        case TensorView():
            return replace(snapshot, part=result, tensor_problem="")
        case HeatMaps():
            return replace(snapshot, maps=result)
        case Pictures():
            return replace(snapshot, pictures=result)
        case Optimizers():
            return replace(snapshot, optimizers=result)
        case SourceText(file=file):
            return replace(snapshot, sources={**snapshot.sources, file: result})
        case Refusal(problem=problem) if answer.slot in ("tensor", "part"):
            return replace(snapshot, tensor_problem=problem)
        case Refusal() if answer.slot == "maps":
            return replace(snapshot, maps=None)
        case Refusal() if answer.slot == "pictures":
            return replace(snapshot, pictures=None)
    return snapshot
