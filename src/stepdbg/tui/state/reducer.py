"""The one function that makes the next snapshot, from a message of the hub, an answer, or what the user has typed."""

from __future__ import annotations

from msgspec.structs import replace

from stepdbg.protocol.messages import (
    LISTED_STOPS,
    LossPoints,
    Noted,
    Notice,
    Output,
    PastStop,
    Progress,
    Refusal,
    SessionChanged,
    SourceText,
    Stops,
    Summaries,
    WatchPoints,
    Welcome,
)
from stepdbg.tui.records.exchanges import Cleared, Replied, Typed, after
from stepdbg.tui.records.losses import grown
from stepdbg.tui.records.phase_lines import latest, learned
from stepdbg.tui.records.watches import grown as watched_grown
from stepdbg.tui.records.watches import without_removed
from stepdbg.tui.state.answers import OBJECTS, PAST_STOP, Answer, Arrived
from stepdbg.tui.state.snapshot import Lost, Snapshot, looking_at, looking_at_stop, standing_at

FromHub = Welcome | SessionChanged | Progress | LossPoints | WatchPoints | Output | Noted | Notice
MOST_NOTED = 500
"""What breakpoints have noted is kept, so much of it, the newest."""
_WARNING = b"Warning: "
"""How a line begins or goes on that Python's `warnings` have printed."""


def reduced(snapshot: Snapshot, message: FromHub | Arrived | Lost | Typed | Replied | Cleared) -> Snapshot:
    """The snapshot after a message."""
    match message:
        case Welcome(session=session) | SessionChanged(session=session):
            if session.run != snapshot.session.run:
                snapshot = Snapshot(session, keys=snapshot.keys)
            known = {state.rank for state in session.ranks}
            keeps = not known or (snapshot.chosen and snapshot.rank in known)
            fresh = looking_at(replace(snapshot, session=session), snapshot.rank if keeps else min(known))
            return replace(
                fresh,
                phase_lines=learned(fresh.phase_lines, fresh.stop),
                last_line=latest(fresh.last_line, fresh.stop),
                watched=without_removed(fresh.watched, (watch.number for watch in session.watches)),
            )
        case (
            Progress(rank=rank) | LossPoints(rank=rank) | WatchPoints(rank=rank) | Typed(rank=rank) | Replied(rank=rank)
        ) if rank != snapshot.rank:
            other = reduced(snapshot.of_rank(rank), message)
            return replace(snapshot, others={**snapshot.others, rank: other})
        case Progress():
            return replace(snapshot, progress=message)
        case LossPoints(watched=True):
            return replace(snapshot, watches=grown(snapshot.watches, message))
        case LossPoints():
            return replace(snapshot, losses=grown(snapshot.losses, message))
        case WatchPoints():
            return replace(snapshot, watched=watched_grown(snapshot.watched, message))
        case Output():
            output = snapshot.output.fed(message.start, message.data)
            warned = output.end if _WARNING in message.data else snapshot.warned_at
            return replace(snapshot, output=output, warned_at=warned, asking=False)
        case Noted():
            return replace(snapshot, noted=(*snapshot.noted, message)[-MOST_NOTED:])
        case Typed() | Replied() | Cleared():
            return replace(snapshot, console=after(snapshot.console, message))
        case Lost(why=why, ended=ended):
            return replace(snapshot, lost=why, ended=ended)
        case Arrived(rank=rank) if rank == snapshot.rank:
            return _answered(snapshot, message)
    return snapshot


def _answered(snapshot: Snapshot, answer: Arrived) -> Snapshot:
    slot, result = answer.slot, answer.result
    if slot == PAST_STOP:
        return _arrived_in_the_past(snapshot, answer)
    if slot.past:
        if snapshot.past is None or snapshot.past.boundary != answer.boundary:
            return snapshot
        return replace(snapshot, past=_answered(snapshot.past, replace(answer, slot=replace(slot, past=False))))
    match result:
        case Summaries(rows=rows):
            fresh = {row.object: row for row in rows}
            kept = snapshot.summaries if answer.boundary == snapshot.summaries_at else {}
            return replace(snapshot, summaries={**kept, **fresh}, summaries_at=answer.boundary)
        case SourceText(file=file):
            return replace(snapshot, sources={**snapshot.sources, file: result})
        case Stops(ticks=ticks):
            known = snapshot.stops[-1].boundary if snapshot.stops else 0
            newer = tuple(tick for tick in ticks if tick.boundary > known)
            return replace(snapshot, stops=(*snapshot.stops, *newer)[-LISTED_STOPS:])
        case Refusal(problem=problem):
            problems = {**snapshot.problems, slot.problem_of or slot.name: problem}
            answers = {name: one for name, one in snapshot.answers.items() if name != slot.name}
            return replace(snapshot, problems=problems, answers=snapshot.answers if slot.kept_when_refused else answers)
    if not isinstance(result, slot.kind):
        return snapshot
    answers = {**snapshot.answers, slot.name: Answer(result, answer.boundary)}
    problems = {name: one for name, one in snapshot.problems.items() if name != (slot.problem_of or slot.name)}
    return replace(snapshot, answers=answers, problems=problems)


def _arrived_in_the_past(snapshot: Snapshot, answer: Arrived) -> Snapshot:
    """The earlier stop that was asked for is here; where it is not kept any more, the present is looked at again."""
    if answer.boundary != snapshot.past_at:
        return snapshot
    if not isinstance(answer.result, PastStop):
        return looking_at_stop(snapshot, None)
    session = standing_at(snapshot.session, snapshot.rank, answer.result.stop)
    known = snapshot.answer(OBJECTS)
    same = known is not None and known.registry == answer.result.stop.registry and not known.moves
    answers = {OBJECTS.name: snapshot.answers[OBJECTS.name]} if same else {}
    return replace(
        snapshot, past=Snapshot(session, snapshot.rank, keys=snapshot.keys, answers=answers, looking_back=True)
    )
