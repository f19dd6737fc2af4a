"""Below the code in panel 6: the frames of the stop as a path, and the variables of the one that is looked at."""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import Local, Locals
from stepdbg.tui.drawing.lines import Glyphs, Line, Span, Target, clipped, padded, plain, whole, width_of
from stepdbg.tui.drawing.numbers import count, figure, plural, shape
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget

LOCALS = Slot("locals", Locals, stale_after_edit=True, kept_when_refused=True)
"""The variables of the frame that is looked at."""
LONGEST_NAME = 16
"""Cells of the column of names."""


class FrameTarget(Target, frozen=True):
    """A frame is to be looked at."""

    place: int
    """In `Stop.frames`."""


class VariableTarget(Target, frozen=True):
    """The cursor is to go to a variable."""

    row: int


class Cursor(NamedTuple):
    """Where the list of variables stands."""

    row: int = 0
    top: int = 0
    active: bool = False
    """Whether the keys go to it."""


def rows(snapshot: Snapshot) -> tuple[Local, ...]:
    """The variables of the frame that is looked at, as far as they are known."""
    found = snapshot.answer(LOCALS)
    if found is None or found.frame != frames.chosen(snapshot) or snapshot.answered_at(LOCALS) != snapshot.boundary:
        return ()
    return found.rows


def height_of(snapshot: Snapshot, height: int) -> int:
    """How many of the panel's rows the frames and the variables take."""
    if snapshot.stop is None or height < 8:
        return 1 if snapshot.stop is not None and height >= 4 else 0
    return 1 + max(2, min(max(1, len(rows(snapshot))), height * 2 // 5))


def draw(snapshot: Snapshot, width: int, height: int, cursor: Cursor, glyphs: Glyphs) -> tuple[Line, ...]:
    """The path of the frames, and as many variables as fit below it."""
    if height < 1:
        return ()
    known, found = snapshot.answer(LOCALS), rows(snapshot)
    room = height - 1
    position = ""
    if len(found) > room > 0:
        position = f" {cursor.top + 1}-{min(len(found), cursor.top + room)} of {len(found)} variables "
    elif known is not None and found and known.left_out:
        position = f" and {plural(known.left_out, 'import or definition', 'imports and definitions')} "
    if width < 3 * len(position):
        position = ""
    path = _path(snapshot, width - len(position), glyphs)
    rule = Span(glyphs.rule * max(0, width - width_of(path) - len(position)), "rule")
    lines = [(*path, rule, Span(position, "dim"))]
    longest = min(LONGEST_NAME, max((len(row.name) for row in found), default=0))
    for place, row in enumerate(found[cursor.top : cursor.top + room], cursor.top):
        lines.append(_variable(row, place, longest, cursor, width, glyphs))
    if room and not found:
        empty = known is not None and snapshot.answered_at(LOCALS) == snapshot.boundary
        words = "   no variables" if empty else "   reading the variables"
        if not (empty or snapshot.paused):
            words = "   read at the next stop" if snapshot.state == "running" else "   not kept"
        words = "   not kept of the past" if snapshot.looking_back else words
        lines.append(clipped((Span(words, "dim"),), width, glyphs.ellipsis))
    return tuple([*lines, *([()] * height)][:height])


def _path(snapshot: Snapshot, width: int, glyphs: Glyphs) -> Line:
    """The frames, outermost first, the chosen one marked; those furthest from it give way where there is no room."""
    stop = snapshot.stop
    places = list(reversed(frames.shown(snapshot)))
    if stop is None or not places:
        return (Span(" __main__ ", "dim"),)
    here = places.index(frames.chosen(snapshot))
    first, last = here, here + 1
    words = {place: plain(frames.in_words(stop.frames[place])) for place in places}

    def length(start: int, end: int) -> int:
        dots = (start > 0) * 2 + (end < len(places)) * 2
        return sum(len(words[place]) + 3 for place in places[start:end]) + dots

    away = frames.folded(snapshot)
    hint = f"+{count(away)} of libraries ({snapshot.key('unfold')})"
    if length(0, len(places)) + len(hint) > width:
        hint = f"+{count(away)} ({snapshot.key('unfold')})"
    room = width - len(hint) - 1 if away else width
    while first > 0 or last < len(places):
        if last < len(places) and length(first, last + 1) <= room:
            last += 1
        elif first > 0 and length(first - 1, last) <= room:
            first -= 1
        else:
            break
    spans = [Span(f" {glyphs.ellipsis}", "dim")] if first else []
    for place in places[first:last]:
        role = "accent" if place == places[here] else "faint" if stop.frames[place].library else ""
        spans.append(Span(f" {glyphs.cursor} " if spans else " ", "dim"))
        spans.append(Span(words[place], role, FrameTarget(place)))
    if last < len(places):
        spans.append(Span(f" {glyphs.ellipsis}", "dim"))
    if away:
        spans.append(Span(f" {hint}", "dim", ActionTarget("unfold")))
    return (*clipped(tuple(spans), max(1, width - 1), glyphs.ellipsis), Span(" "))


def _variable(row: Local, place: int, longest: int, cursor: Cursor, width: int, glyphs: Glyphs) -> Line:
    here = cursor.active and place == cursor.row
    target = VariableTarget(place)
    emphasis = "here" if here else ""
    spans = [
        Span(f" {glyphs.cursor} " if here else "   ", "cursor", target),
        Span(padded(plain(row.name), longest, glyphs.ellipsis) + "  ", emphasis or "strong", target),
    ]
    if row.shape is None:
        spans.append(Span(plain(row.text), emphasis, target))
        return clipped(tuple(spans), width, glyphs.ellipsis)
    if row.text:
        spans.append(Span(f"{row.text}  ", emphasis or "number", target))
    size = shape(row.shape, glyphs.times) if row.shape else ""
    kind = "  ".join(word for word in (size, row.dtype, row.device) if word)
    spans.append(Span(kind, emphasis or "dim", target))
    if row.min is not None and row.max is not None:
        integers = "int" in row.dtype
        low, high = (figure(int(value) if integers else value) for value in (row.min, row.max))
        words = f"  {low} {glyphs.ellipsis if glyphs.braille else '..'} {high}"
        spans.append(Span(words, emphasis or "number", target))
    return whole(tuple(spans), width)  # figures are shown whole or not at all
