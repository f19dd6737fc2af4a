"""Panel 1: every parameter and buffer as a tree of modules, with what the phase just done did to each.

The marks are signs, so that nothing hangs on a colour: `*` changed, `~` written with the same value, `+` created,
`-` freed. Each stands in a column of its own, so that none is taken for the sign of a number: a row's at its left, its
gradient's and its optimizer state's before those. A tensor of one number shows that number, any other its norm. Only
the rows in view are known, and a margin around them: all the others stay with the training process.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import takewhile
from typing import NamedTuple

from stepdbg.listing.filters import KNOWN
from stepdbg.listing.search import TENSORS
from stepdbg.listing.tree import Marked, Marks
from stepdbg.protocol.messages import ObjectRow, Objects, Order, Summary
from stepdbg.tui.drawing.lines import (
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    clipped,
    lesson,
    plain,
    shortened_name,
    width_of,
)
from stepdbg.tui.drawing.marks import LEGEND, UNSURE, hinted, legend
from stepdbg.tui.drawing.numbers import plural, shape, size
from stepdbg.tui.panels.model.breakpoints_on_rows import on_object
from stepdbg.tui.panels.model.earlier_rows import of_earlier_updates
from stepdbg.tui.panels.model.rows import Columns, columns, drawn, heading, ratio_heading, step_of
from stepdbg.tui.state.answers import OBJECTS
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget
from stepdbg.tui.words.findings import faulty_tensors

NOT_RECORDED = "not recorded"
DEEP = 3
"""Modules around a row from which on its whole name has a line of its own."""
SINGLE = "= a value, no norm"
"""What a figure means that stands behind a `=`."""
ORDERS: dict[Order, str] = {
    "tree": "", "name": "by name", "norm": "by norm", "grad": "by gradient norm", "ratio": "by Δ/‖w‖",
    "size": "by size",
}  # fmt: skip
"""All orders, as one key goes through them, in words."""


class Listing(NamedTuple):
    """How the rows are listed, as the user has it."""

    order: Order = "tree"
    filter: str = ""
    """What is filtered by."""
    typed: str | None = None
    """What is being typed; None while nothing is."""
    problem: str = ""
    """Why that is no filter."""


_AS_IT_IS = Listing()


def rows_from(objects: Objects | None, top: int, height: int) -> list[ObjectRow | None]:
    """The rows in view; None for one that is not known yet."""
    if objects is None:
        return []
    places = range(top - objects.first, min(top + height, total_of(objects)) - objects.first)
    return [objects.rows[place] if 0 <= place < len(objects.rows) else None for place in places]


def row_at(objects: Objects | None, place: int) -> ObjectRow | None:
    """The row in a place among all rows, from 0; None where it is not known."""
    found = rows_from(objects, place, 1)
    return found[0] if found else None


def total_of(objects: Objects) -> int:
    """Rows in all."""
    return len(objects.rows) if objects.total is None else objects.total


def visible_tensors(snapshot: Snapshot, top: int, height: int) -> tuple[str, ...]:
    """The names of the rows in view that have figures to be asked for: of a folded module what was done inside."""
    rows = rows_from(snapshot.answer(OBJECTS), top, height)
    return tuple(row.name for row in rows if row is not None and (row.node in TENSORS or row.folded))


def draw(snapshot: Snapshot, frame: Frame, listing: Listing = _AS_IT_IS) -> Drawing:
    """The panel. Its body has a row per row of `Objects`."""
    objects = snapshot.answer(OBJECTS)
    if objects is None or not (objects.rows or listing.filter or listing.typed is not None):
        words = (
            f"Nothing is known of the model yet. Press {snapshot.key('next')}: it is found at its first forward, "
            "or by its optimizer."
        )
        if not snapshot.paused:
            words = "Nothing is known of the model: nobody has looked at it while training stood still."
        if snapshot.ending:
            words = "No model is alive any more, at the end of the script."
        if snapshot.over and snapshot.stop is None:
            words = "There was no model to be seen: the script has ended, and no training loop was seen in it."
        if snapshot.looking_back:
            words = "Not recorded: nobody had the model listed so at this stop."
        return Drawing(title=(Span("model", "dim"),), body=lesson(words, frame), total=0)
    below = _filter_line(objects, listing, snapshot, frame)
    if not objects.rows:
        clear = snapshot.key("find_clear")
        words = f"No tensor is found by `{plain(listing.filter)}`. {clear} shows all again; there are {KNOWN}."
        return Drawing(_title(objects, snapshot, listing), body=lesson(words, frame), total=0, foot=below)
    rows, total = objects.rows, total_of(objects)
    dated = of_earlier_updates(rows, snapshot.stop)
    named = tuple(dated.get(row.name, row) for row in rows) if dated else rows
    wide = columns(frame.width, named, frame.glyphs, {row.label for row in dated.values()})
    singles = {row.elements == 1 for row in rows if row.node in TENSORS}
    seen = Marked(snapshot.stop.effects.named if snapshot.stop and snapshot.stop.effects else ())
    step = step_of(named, wide.name)
    faulty = faulty_tensors(snapshot)
    below = (*_whole_name(objects, frame), *below)
    spare = frame.height - 2 - total - len(below)
    ruled = f"! see Findings ({snapshot.key('panel_findings')})" if faulty else ""
    foot = (*_legend(wide, frame, mixed=len(singles) == 2, ruled=ruled)[: max(0, spare)], *below)
    body = tuple(
        drawn(
            dated.get(row.name, row),
            _figures(row, snapshot),
            _marks_of(row, snapshot, seen),
            wide,
            index == frame.cursor,
            frame,
            equals="=" if len(singles) == 2 else "",
            unsure=UNSURE if hinted(snapshot.stop) else "",
            evaluating=snapshot.stop is not None and row.name in snapshot.stop.evaluating,
            step=step,
            point=_point(row.name, snapshot, frame.glyphs),
            fault=_fault(row, faulty),
        )
        if row is not None
        else (Span(f"    {frame.glyphs.ellipsis}", "faint"),)
        for index, row in enumerate(rows_from(objects, frame.top, max(0, frame.height - 1 - len(foot))), frame.top)
    )
    names = heading(wide, frame.glyphs, singles, listing.order)
    return Drawing(_title(objects, snapshot, listing, wide), (names,), body, total, foot)


def _point(name: str, snapshot: Snapshot, glyphs: Glyphs) -> str:
    """The sign of a breakpoint on that object; empty where none is."""
    found = on_object(name, snapshot.session.breakpoints)
    return "" if found is None else glyphs.breakpoint if found.enabled else glyphs.switched_off


def _fault(row: ObjectRow, faulty: Mapping[str, str]) -> str:
    """The role of the mark for what a rule has found about a tensor, or about one in a folded module."""
    if not row.folded:
        return faulty.get(row.name, "") if row.node in TENSORS else ""
    roles = {role for name, role in faulty.items() if name.startswith(f"{row.name}.")}
    return "error" if "error" in roles else "warning" if roles else ""


def _whole_name(objects: Objects, frame: Frame) -> tuple[Line, ...]:
    """Where modules lie deep, the whole name of the row under the cursor: the tree shows its last part alone."""
    deep = max([0, *(row.depth for row in objects.rows)]) > DEEP
    here = row_at(objects, frame.cursor)
    if not deep or frame.height < 8:
        return ()
    name = plain(here.name) if here is not None and here.node != "group" else ""
    return ((Span(f" {shortened_name(name, max(1, frame.width - 2), frame.glyphs.ellipsis)}", "dim"),),)


def _filter_line(objects: Objects, listing: Listing, snapshot: Snapshot, frame: Frame) -> tuple[Line, ...]:
    """What is filtered by, and how much that finds."""
    if listing.typed is None and not listing.filter:
        return ()
    typing = listing.typed is not None
    words = listing.filter if listing.typed is None else listing.typed
    line: Line = (
        Span(f" {snapshot.key('find')} ", "key", ActionTarget("find")),
        Span(plain(words), "strong", ActionTarget("find")),
    )
    if typing:
        line = (*line, Span(" ", "selected"))
    if listing.problem:
        said = Span(f"  {plain(listing.problem)}", "warning")
    elif typing and not words:
        said = Span(f"  part of a name, {KNOWN}", "dim")
    else:
        said = Span(f"  {plural(objects.matches, 'tensor')}", "dim")
    clear = Span(f"  {snapshot.key('find_clear')} shows all", "dim", ActionTarget("find_clear"))
    line = (*line, said)
    if width_of((*line, clear)) <= frame.width:
        line = (*line, clear)
    return (clipped(line, frame.width, frame.glyphs.ellipsis),)


def _marks_of(row: ObjectRow, snapshot: Snapshot, seen: Marked) -> Marks:
    """The signs of a row's changes: those that the stop names or, where it could not name all, those of the figures."""
    if row.node not in TENSORS and not row.folded:
        return Marks()
    if row.name in seen:
        return seen.get(row.name)
    summary = snapshot.summaries.get(row.name)
    return Marks(*summary.marks) if summary is not None and snapshot.summaries_at == snapshot.boundary else Marks()


def _legend(wide: Columns, frame: Frame, *, mixed: bool, ruled: str) -> tuple[Line, ...]:
    """What signs and figures mean."""
    single = (SINGLE,) if mixed else ()
    ratio = (f"{ratio_heading(frame.glyphs)} size of the last step, to the value's",) if wide.ratio else ()
    return legend((*([ruled] if ruled else []), *LEGEND, *single, *ratio), frame.width)


def _figures(row: ObjectRow, snapshot: Snapshot) -> Summary | str | None:
    """The figures of a row, or why a past stop has none; None where they are still to come."""
    summary = snapshot.summaries.get(row.name)
    return NOT_RECORDED if summary is None and snapshot.looking_back else summary


def _title(objects: Objects, snapshot: Snapshot, listing: Listing, wide: Columns | None = None) -> Line:
    """The models, then as much as fits: order, a warning, how many parameters, their type where no column says it."""
    rows = objects.rows
    models = [
        Span(f"{', ' if number and part == 0 else ' ' if part else ''}{plain(words)}")
        for number, pair in enumerate(snapshot.models[:2])
        for part, words in enumerate(dict.fromkeys(pair))
    ] or [Span("no model yet")]
    hint = f"  {UNSURE}: since the last stop, by whichever phase" if hinted(snapshot.stop) else ""
    all_here = listing.order == "tree" and not listing.filter and total_of(objects) == len(rows)
    inside = sum(row.node == "parameter" for row in takewhile(lambda row: row.node != "group", rows))
    there = sum(row.node == "parameter" for row in rows)
    folded = any(row.folded for row in rows)
    loose = there - inside if all_here and not folded else 0
    more = f", {loose} more in no model" if loose else ""
    types = {row.dtype for row in rows if row.node == "parameter"}
    dtype = f"  {types.pop()}" if wide is not None and not wide.dtype and len(types) == 1 and all_here else ""
    order = f"  {ORDERS[listing.order]}" if listing.order != "tree" else ""
    counted = Span(f"  {plural((objects.parameters or there) - loose, 'parameter')}", "dim")
    return (
        *models, Span(order, "accent"), Span(hint, "warning"), counted,
        Span(more, "dim"), Span(dtype, "dim"),
    )  # fmt: skip


def describe(row: ObjectRow) -> str:
    """A row in a sentence, for the edit dialog."""
    return f"{row.name}: {shape(row.shape)} {row.dtype}, {size(row.bytes)}"
