"""Panel 3, the names behind a count: what exactly did that phase do that to?

Few names travel with the stop that followed on the phase; of many, those that are in view are asked for.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import Effect, EffectNames, Kind
from stepdbg.tui.drawing.lines import Drawing, Frame, Line, Span, lesson, padded, plain, shortened_name
from stepdbg.tui.drawing.marks import SIGNS
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.panels.effects.matrix import NOT_RECORDED
from stepdbg.tui.panels.effects.phase_rows import PHASE, Row, cell, stop_after
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.words.effect_counts import NOUNS

EFFECT_NAMES = Slot("effect_names", EffectNames)
"""The names behind a count of effects that are in view, where the stop could not carry all of them."""


class Names(NamedTuple):
    """The objects behind a cell, as far as they are known."""

    total: int = 0
    first: int = 0
    """The place of the first of `effects` in the list of all, from 0."""
    effects: tuple[Effect, ...] = ()
    boundary: int = 0
    """The index of the boundary at which the names are to be asked for; 0 where all of them are here."""
    problem: str = ""
    """Why there are none, or not yet."""

    def at(self, place: int) -> Effect | None:
        """The effect in a place of the list of all; None where it is not known."""
        place -= self.first
        return self.effects[place] if 0 <= place < len(self.effects) else None

    def know(self, top: int, rows: int) -> bool:
        """Whether all that such a window shows is known."""
        return all(self.at(place) is not None for place in (top, min(top + rows, self.total) - 1))


def names(snapshot: Snapshot, row: Row, kind: Kind) -> Names:
    """The objects of that kind that the phase of a row did something to."""
    if row.box.record is None:
        return Names(problem=f"{row.box.name} has not been run yet")
    if row.box.record.effects is None:
        return Names(problem=f"{NOT_RECORDED}: nobody looked before {row.box.name}")
    stop = stop_after(snapshot, row)
    if stop is None or stop.effects is None:
        return Names(problem=snapshot.problem(PHASE) or "asking for the names")
    counted = sum(one.count for one in stop.effects.counts if row.tells(one, kind))
    if not counted:
        return Names(problem=f"{row.box.name} did nothing to any {NOUNS[kind][0]}")
    found = tuple(effect for effect in stop.effects.named if row.tells(effect, kind))
    if len(found) == counted:
        return Names(counted, 0, found)
    boundary, known = stop.boundary.index, snapshot.answer(EFFECT_NAMES)
    if known is not None and known.boundary == boundary and row.tells(known, kind):
        return Names(known.total, known.first, known.effects, boundary)
    return Names(counted, 0, (), boundary, snapshot.problem(EFFECT_NAMES))


def draw(snapshot: Snapshot, frame: Frame, row: Row, kind: Kind) -> Drawing:
    """The objects behind a cell; the body has a row for each."""
    known = names(snapshot, row, kind)
    when = {"done": "", "inside": " so far"}.get(row.box.when, " last time")
    when += ", then" if row.after else ", before it" if row.before else ""
    title = (
        Span(f"{row.box.name}{when}"),
        Span(f" {cell(row.box, kind) or 'no'}", "accent"),
        Span(f" {NOUNS[kind][1]}"),
    )
    if known.problem:
        counted = f"{plural(known.total, *NOUNS[kind])}, counted and not named: " if known.total else ""
        how = f"Press {snapshot.key('back')} for the matrix."
        return Drawing(title, (), lesson(f"{counted}{known.problem}. {how}", frame))
    body = tuple(
        _name_line(known.at(index), row.box.name, index == frame.cursor, frame)
        for index in range(frame.top, min(frame.top + max(1, frame.height), known.total))
    )
    return Drawing(title, (), body, known.total)


def _told(effect: Effect, phase: str) -> str:
    """What happened to it: a gradient that backward found there was added to, whatever its sign says of the value."""
    added = phase == "backward" and effect.kind == "grad" and effect.what in ("changed", "touched")
    return "added to" if added else effect.what


def _name_line(effect: Effect | None, phase: str, here: bool, frame: Frame) -> Line:
    if effect is None:
        return (Span(f"    {frame.glyphs.ellipsis}", "faint"),)
    emphasis = ".here" if here and frame.focused else ""
    room = max(8, frame.width - 12)
    return (
        Span(frame.glyphs.cursor if here else " ", "cursor" if frame.focused else "dim"),
        Span(f"{SIGNS[effect.what]} ", f"mark.{effect.what}"),
        Span(padded(shortened_name(plain(effect.object), room, frame.glyphs.ellipsis), room), emphasis.lstrip(".")),
        Span(f" {_told(effect, phase)}", "dim"),
        Span({"nan": " NaN", "inf": " inf"}.get(effect.holds, ""), "error"),
    )
