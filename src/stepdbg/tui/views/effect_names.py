"""Panel 3, the names behind a count: what exactly did that phase do that to?

Those of the phase just done travel with the stop; those of an earlier one come from the stop that followed on it.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import Effect, Kind
from stepdbg.tui.actions import key_of
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views.effects import NOT_RECORDED, Row, cell, stop_after
from stepdbg.tui.views.lines import Drawing, Frame, Line, Span, lesson, padded, plain, shortened_name
from stepdbg.tui.views.model import SIGNS
from stepdbg.tui.views.numbers import plural
from stepdbg.tui.views.sentence import NOUNS


class Names(NamedTuple):
    """The objects behind a cell."""

    effects: tuple[Effect, ...] = ()
    left_out: int = 0
    problem: str = ""
    """Why there are none, or not yet."""


def names(snapshot: Snapshot, row: Row, kind: Kind) -> Names:
    """The objects of that kind that the phase of a row did something to."""
    if row.box.record is None:
        return Names(problem=f"{row.box.name} has not been run yet")
    if row.box.record.effects is None:
        return Names(problem=f"{NOT_RECORDED}: nobody looked before {row.box.name}")
    stop = stop_after(snapshot, row)
    if stop is None or stop.effects is None:
        return Names(problem=snapshot.phase_problem or "asking for the names")
    found = tuple(effect for effect in stop.effects.named if effect.kind == kind)
    counted = sum(one.count for one in stop.effects.counts if one.kind == kind)
    problem = "" if counted else f"{row.box.name} did nothing to any {NOUNS[kind][0]}"
    return Names(found, max(0, counted - len(found)), problem)


def draw(snapshot: Snapshot, frame: Frame, row: Row, kind: Kind) -> Drawing:
    """The objects behind a cell; the body has a row for each."""
    known = names(snapshot, row, kind)
    when = {"done": "", "inside": " so far"}.get(row.box.when, " last time")
    title = (
        Span(f"{row.box.name}{when}"),
        Span(f" {cell(row.box, kind) or 'no'}", "accent"),
        Span(f" {NOUNS[kind][1]}"),
    )
    head: list[Line] = []
    if known.left_out and known.effects:
        head.append((Span(f" and {plural(known.left_out, 'more')} that are not named", "dim"),))
    if not known.effects:
        problem = known.problem or f"{plural(known.left_out, *NOUNS[kind])}, counted and not named"
        how = f"Press {key_of('back', snapshot)} for the matrix."
        return Drawing(title, (), lesson(f"{problem}. {how}", frame))
    height = max(1, frame.height - len(head))
    body = tuple(
        _name_line(effect, index == frame.cursor, frame)
        for index, effect in enumerate(known.effects[frame.top : frame.top + height], frame.top)
    )
    return Drawing(title, tuple(head), body, len(known.effects))


def _name_line(effect: Effect, here: bool, frame: Frame) -> Line:
    emphasis = ".here" if here and frame.focused else ""
    room = max(8, frame.width - 12)
    return (
        Span(frame.glyphs.cursor if here else " ", "cursor" if frame.focused else "dim"),
        Span(f"{SIGNS[effect.what]} ", f"mark.{effect.what}"),
        Span(padded(shortened_name(plain(effect.object), room, frame.glyphs.ellipsis), room), emphasis.lstrip(".")),
        Span(f" {effect.what}", "dim"),
    )
