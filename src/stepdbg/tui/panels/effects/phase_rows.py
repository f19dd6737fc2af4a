"""The rows of the Effects panel: the phases of the rail, with what each did, and the stop that followed on it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from stepdbg.listing.effect_names import afterwards, beforehand, of_call
from stepdbg.protocol.messages import Effect, EffectCount, EffectNames, Kind, PastStop, ReadPhase, Stop
from stepdbg.tui.drawing.marks import SIGNS
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top import phases

PHASE = Slot("phase", PastStop)
"""The stop that followed on the earlier phase whose effects were asked for by name."""
KINDS: tuple[Kind, ...] = ("parameter", "grad", "buffer", "state", "hyperparameter", "loss", "output", "batch")
_ORDER = ("created", "changed", "touched", "freed")
UNFIT = "!"
"""Behind a count among which some hold NaN or infinity."""


class Row(NamedTuple):
    """A phase, and how the stop that followed on it is found."""

    box: phases.Box
    asked: ReadPhase | None = None
    """None where there is nothing to ask: the phase was never run, or it is the one just done."""
    just_done: bool = False
    after: bool = False
    """Of what came between the return of the phase's call and the next boundary: it is not the call's doing."""
    before: bool = False
    """Of what came between the boundary before and the beginning of the call, likewise."""

    @property
    def of_call(self) -> bool:
        """Whether it is of what the call did."""
        return not (self.after or self.before)

    def tells(self, one: Effect | EffectCount | EffectNames, kind: Kind) -> bool:
        """Whether this is of what the row tells of objects of that kind."""
        return (one.kind, one.after, one.before) == (kind, self.after, self.before)


def rows(snapshot: Snapshot) -> list[Row]:
    """The phases of this update, top to bottom."""
    stop = snapshot.stop
    boxes = phases.boxes(snapshot)
    if stop is None or snapshot.state == "running":
        return [Row(box) for box in boxes]
    last = max([index for index, box in enumerate(boxes) if box.when == "done"], default=-1)
    found = []
    for index, box in enumerate(boxes):
        if box.when == "inside" or (index == last and stop.boundary.done == box.name):
            found.append(Row(box, None, True))
        elif box.when == "done":
            number = sum(other.name == box.name for other in boxes[: index + 1])
            found.append(Row(box, ReadPhase(stop.boundary.update, box.name, number)))
        elif box.record is not None:
            number = _place(box, stop)
            found.append(Row(box, ReadPhase(stop.boundary.update - 1, box.name, number)))
        else:
            found.append(Row(box))
    return [part for row in found for part in _parts(row)]


def _parts(row: Row) -> list[Row]:
    """The row of a phase, and one more where something came before its call, and after it."""
    record = row.box.record
    if record is None or (effects := record.effects) is None:
        return [row]
    earlier, call, later = (
        row.box._replace(record=msgspec.structs.replace(record, effects=part))
        for part in (beforehand(effects), of_call(effects), afterwards(effects))
    )
    there = [one for one in effects.counts if one.kind != "rng"]
    found = [row._replace(box=call)]
    if any(one.before for one in there):
        found.insert(0, row._replace(box=earlier, before=True))
    if any(one.after for one in there):
        found.append(row._replace(box=later, after=True))
    return found


def _place(box: phases.Box, stop: Stop) -> int:
    """Which of the phases of its name a foretold phase was in the last update, from 1."""
    number = 0
    for record in stop.previous:
        number += record.name == box.name
        if record is box.record:
            break
    return max(1, number)


def row_done(snapshot: Snapshot) -> int:
    """The row of the phase just done, or stopped in; the first where none is."""
    found = rows(snapshot)
    done = [index for index, row in enumerate(found) if row.box.when in ("done", "inside") and row.of_call]
    return done[-1] if done else 0


def stop_after(snapshot: Snapshot, row: Row) -> Stop | None:
    """The stop that followed on the phase of a row, where it is known."""
    if row.just_done:
        return snapshot.stop
    known, asked = snapshot.answer(PHASE), row.asked
    if known is None or asked is None:
        return None
    stop = known.stop
    number = sum(record.name == asked.phase for record in stop.phases)
    same = (stop.boundary.update, stop.boundary.done, number) == (asked.update, asked.phase, asked.ordinal)
    return stop if same else None


def cell(box: phases.Box, kind: Kind) -> str:
    """`+8`, `*2+1`; empty where nothing was done, or nobody looked."""
    effects = box.record.effects if box.record is not None and box.when != "unknown" else None
    counts, unfit = dict.fromkeys(_ORDER, 0), dict.fromkeys(_ORDER, 0)
    for one in effects.counts if effects is not None else ():
        if one.kind == kind:
            counts[one.what] += one.count
            unfit[one.what] += one.nan + one.infinite
    return "".join(
        f"{SIGNS[what]}{_short(counts[what])}{UNFIT if unfit[what] else ''}" for what in _ORDER if counts[what]
    )


def nearest_counted(box: phases.Box, kind: Kind) -> Kind:
    """The kind nearest to this one, as the columns stand, that the phase did something to; else this one."""
    here = KINDS.index(kind)
    told = [other for other in KINDS if cell(box, other)]
    return min(told, key=lambda other: abs(KINDS.index(other) - here), default=kind)


def _short(number: int) -> str:
    return str(number) if number < 10_000 else f"{number // 1000}k"
