"""The strip of the timeline: every stop of the session is a tick, updates are set apart, and now is at the right end.

A tick says by its sign what was there: a breakpoint met, an exception, an edit made. A click on one looks at it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from stepdbg.protocol.messages import Edit, Tick
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, cropped
from stepdbg.tui.drawing.numbers import count
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import StopTarget

LABEL = " stops "
EDITED = "e"
FAILED = "!"


class Mark(NamedTuple):
    """A tick as it is drawn, with the number of its update before it where one begins."""

    heading: str
    sign: str
    role: str
    boundary: int

    @property
    def wide(self) -> int:
        """Cells."""
        return cell_len(self.heading) + cell_len(self.sign)


def draw(snapshot: Snapshot, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """One line of at most `width` cells."""
    ticks = snapshot.stops
    if not ticks:
        return ()
    edited = _edited(edit for edit in snapshot.session.edits if edit.rank == snapshot.rank)
    here = ticks[-1].boundary if snapshot.past_at is None else snapshot.past_at
    looked = next((n for n in range(len(ticks) - 1, -1, -1) if ticks[n].boundary <= here), len(ticks) - 1)
    start, end = max(0, looked - width), min(len(ticks), looked + width)  # a tick takes a cell at least
    marks = [
        _mark(
            ticks[n], ticks[n - 1] if n else None, here,
            newest=n == len(ticks) - 1, edited=ticks[n].boundary in edited, glyphs=glyphs,
        )
        for n in range(start, end)
    ]  # fmt: skip
    first, last = _window(marks, looked - start, width - len(LABEL) - 16, to_the_end=end == len(ticks))
    later = len(ticks) - start - last
    spans = [Span(LABEL, "dim")]
    if earlier := start + first:
        spans.append(Span(f"{glyphs.more_left}{count(earlier)} ", "dim", StopTarget(ticks[earlier - 1].boundary)))
    for mark in marks[first:last]:
        target = StopTarget(mark.boundary)
        if mark.heading:
            spans.append(Span(mark.heading, "faint", target))
        spans.append(Span(mark.sign, mark.role, target))
    if later:
        spans.append(Span(f" {count(later)}{glyphs.more_right}", "dim", StopTarget(ticks[-1].boundary)))
    elif snapshot.past_at is not None:
        spans.append(Span(" now", "dim", StopTarget(ticks[-1].boundary)))
    return cropped(tuple(spans), width)


def _edited(edits: Iterable[Edit]) -> set[int]:
    """Where something was written: also where it was taken back, unless training never ran with it."""
    stand = [edit for edit in edits if not edit.undone or edit.undone_at > edit.boundary]
    return {edit.boundary for edit in stand} | {edit.undone_at for edit in stand if edit.undone}


def _mark(tick: Tick, before: Tick | None, here: int, *, newest: bool, edited: bool, glyphs: Glyphs) -> Mark:
    heading = f"{glyphs.column}{tick.update}" if before is None or before.update != tick.update else ""
    sign, role = glyphs.dot, "dim"
    if tick.reason == "breakpoint":
        sign, role = glyphs.breakpoint, "breakpoint"
    elif tick.reason in ("nan", "exception"):
        sign, role = FAILED, "error"
    elif edited:
        sign, role = EDITED, "warning"
    if newest:
        sign, role = (sign if sign != glyphs.dot else "") + glyphs.arrow, "accent"
    if tick.boundary == here and not newest:
        sign, role = f"[{sign}]", "state.past"
    return Mark(heading, sign, role, tick.boundary)


def _window(marks: list[Mark], keep: int, room: int, *, to_the_end: bool) -> tuple[int, int]:
    """The run of marks that ends with the newest if that one is in it, and has the one looked at in it anyway."""
    first = last = len(marks)
    used = 0
    while to_the_end and first > 0 and used + marks[first - 1].wide <= room:
        first -= 1
        used += marks[first].wide
    if to_the_end and first <= keep:
        return first, last
    first, last, used = keep, keep + 1, marks[keep].wide
    while True:
        before = first > 0 and used + marks[first - 1].wide <= room
        after = last < len(marks) and used + marks[last].wide <= room
        if before and (not after or keep - first <= last - keep):
            first -= 1
            used += marks[first].wide
        elif after:
            used += marks[last].wide
            last += 1
        else:
            return first, last
