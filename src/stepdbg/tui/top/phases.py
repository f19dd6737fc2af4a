"""Which phases stand on the rail: those done in this update, the next, those foretold from the last complete update."""

from __future__ import annotations

from typing import Literal, NamedTuple

from stepdbg.protocol.messages import Inner, PhaseRecord, Stop
from stepdbg.tui.state.snapshot import Snapshot

TEXTBOOK = ("data", "zero_grad", "forward", "loss", "backward", "step")
"""The order of a loop that has not been seen yet."""


class Box(NamedTuple):
    """A phase on the rail."""

    name: str
    when: Literal["done", "inside", "next", "running", "foretold", "unknown"]
    record: PhaseRecord | None = None
    predicted: bool = False
    depth: int = 0
    of: str = ""
    """The model or optimizer whose phase this is, where there are several; else empty."""
    inner: Inner | None = None
    """Where in the phase training waits."""

    @property
    def is_left(self) -> bool:
        """Whether an exception has left the phase before it was done."""
        return self.when == "inside" and self.inner is None


def boxes(snapshot: Snapshot) -> list[Box]:
    """The phases of this update in order: those done, the next one, those foretold."""
    stop = snapshot.stop
    if stop is None:
        return [Box(name, "unknown") for name in TEXTBOOK]
    if snapshot.state == "running" and snapshot.progress is not None and stop.boundary.next is not None:
        return _running(stop, snapshot.progress.phase)
    return _at(stop)


def _at(stop: Stop) -> list[Box]:
    """The phases as they stand at a stop."""
    boundary = stop.boundary
    found = [Box(record.name, "done", record, depth=len(record.inside), of=record.of) for record in stop.phases]
    if stop.inner is not None and boundary.inside:
        so_far = PhaseRecord(boundary.inside[-1], inside=boundary.inside[:-1], effects=stop.effects)
        inside = Box(so_far.name, "inside", so_far, depth=len(so_far.inside), inner=stop.inner)
        return [*found, inside, *_to_come(stop)]
    if stop.inner is not None:  # at a line between two phases: which one comes next is not known before it begins
        return [*found, *_to_come(stop)] or [Box(name, "unknown") for name in TEXTBOOK]
    if stop.failure is not None and found and boundary.inside and found[-1].name == boundary.inside[-1]:
        found[-1] = found[-1]._replace(when="inside")
    if boundary.next is None:
        return found or [Box(name, "unknown") for name in TEXTBOOK]
    if boundary.opens is not None and found:
        # The update is complete: its loop stays on the rail, and the next round begins at its left end.
        return (
            [*found, Box(boundary.next, "next", predicted=boundary.predicted, of=stop.next_of)]
            if not _loops(found, stop)
            else found
        )
    last_time = _foretold(stop, boundary.next, len(boundary.inside))
    of = stop.next_of or (last_time.of if last_time and boundary.predicted else "")
    found.append(Box(boundary.next, "next", last_time, boundary.predicted, len(boundary.inside), of))
    return found + _to_come(stop)


def _loops(found: list[Box], stop: Stop) -> bool:
    """Whether the next phase is one of those on the rail already."""
    return any(box.name == stop.boundary.next for box in found)


def _running(stop: Stop, phase: str) -> list[Box]:
    """Those of the last complete update; before there is one, those that stand there at the stop, in their places."""
    names = [(record.name, len(record.inside), record.of) for record in stop.previous]
    names = names or [(box.name, box.depth, box.of) for box in _at(stop)]
    if phase and all(name != phase for name, _, _ in names):
        names.append((phase, 0, ""))
    return [Box(name, "running" if name == phase else "foretold", depth=depth, of=of) for name, depth, of in names]


def _foretold(stop: Stop, name: str, depth: int) -> PhaseRecord | None:
    """How that phase went in the last complete update, matched by how often the name came up before it at that depth: a
    step may lie within a step, whose closure makes it.
    """
    before = sum((record.name, len(record.inside)) == (name, depth) for record in stop.phases)
    same = [record for record in stop.previous if record.name == name]
    same = [record for record in same if len(record.inside) == depth] or same
    return same[min(before, len(same) - 1)] if same else None


def _to_come(stop: Stop) -> list[Box]:
    """What follows the next phase, or the one that training waits in, as the last complete update has taught it; at a
    line between two phases, what follows the one done.
    """
    seen = [(record.name, len(record.inside)) for record in stop.phases]
    here = _next_or_left(stop) or (seen[-1] if seen else ("", 0))
    name = here[0]
    if not stop.previous:
        if name not in TEXTBOOK:
            return []
        rest = TEXTBOOK[TEXTBOOK.index(name) + 1 :]
        return [Box(other, "unknown") for other in rest if all(other != passed for passed, _ in seen)]
    position = 0
    for passed, depth in seen if stop.inner is not None and not stop.boundary.inside else [*seen, here]:
        ahead = [index for index in range(position, len(stop.previous)) if stop.previous[index].name == passed]
        ahead = [index for index in ahead if len(stop.previous[index].inside) == depth] or ahead
        if ahead:
            position = ahead[0] + 1
    return [
        Box(record.name, "foretold", record, depth=len(record.inside), of=record.of)
        for record in stop.previous[position:]
    ]


def _next_or_left(stop: Stop) -> tuple[str, int] | None:
    """The phase that comes next, or that training waits in, with how many others it lies in; None for neither."""
    inside = stop.boundary.inside
    if stop.boundary.next:
        return stop.boundary.next, len(inside)
    return (inside[-1], len(inside) - 1) if inside else None


def next_box(rail: list[Box], snapshot: Snapshot) -> int:
    """The position of the phase that comes next, runs, or is stopped in; -1 where there is none."""
    for index, box in enumerate(rail):
        if box.when in ("inside", "next", "running"):
            return index
    stop = snapshot.stop
    if stop and stop.boundary.next is not None:
        return next((index for index, box in enumerate(rail) if box.name == stop.boundary.next), -1)
    return -1


def selected_phase(snapshot: Snapshot, selected: int | None) -> str | None:
    """The name of the phase that the rail's cursor is on: by default the next one."""
    rail = boxes(snapshot)
    index = next_box(rail, snapshot) if selected is None else min(selected, len(rail) - 1)
    return rail[index].name if rail and index >= 0 else None
