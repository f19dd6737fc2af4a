"""Panel 1: every parameter and buffer as a tree of modules, with what the phase just done did to each.

The marks are signs, so that nothing hangs on a colour: `*` changed, `~` written with the same value, `+` created,
`-` freed. Each stands in a column of its own, so that none is taken for the sign of a number: a row's at its left, its
gradient's and its optimizer state's before those. A tensor of one number shows that number, any other its norm.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import takewhile
from typing import NamedTuple

from msgspec.structs import replace

from stepdbg.protocol.messages import ObjectRow, Stop, Summary
from stepdbg.tui.actions import key_of
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views.lines import Drawing, Frame, Glyphs, Line, Span, lesson, padded, plain, right
from stepdbg.tui.views.numbers import figure, plural, shape, size

SIGNS = {"changed": "*", "touched": "~", "created": "+", "freed": "-"}
NOT_RECORDED = "not recorded"
TENSORS = ("parameter", "buffer", "variable")
"""The rows that have numbers."""
MOST_REMARKED = 26
"""So many cells a name with a remark beside it takes from the figures."""
ROOMY = 72
"""Cells from which on figures have room around them."""
GRAD = 13
"""Cells for a gradient: its mark, as far from the figure before it as from its own, and its figure."""
LEGEND = ("+ created", "* changed", "~ same value", "- freed")
"""What the marks mean."""
SINGLE = "= a value, no norm"
"""What a figure means that stands behind a `=`."""
ORPHAN = "no optimizer"
"""Beside a parameter that no step will ever change."""


UNSURE = "?"
"""Behind a mark that may be of any phase since the last stop."""


class Marks(NamedTuple):
    """What the phase done did to a row's value, its gradient and its optimizer state."""

    value: str = ""
    grad: str = ""
    state: str = ""


def marks(stop: Stop | None) -> dict[str, Marks]:
    """The marks of the last phase, by the name of the row's object."""
    found: dict[str, Marks] = {}
    for effect in stop.effects.named if stop and stop.effects else ():
        name = effect.object
        if effect.kind == "grad":
            name = name.removesuffix(".grad")
            found[name] = found.get(name, Marks())._replace(grad=effect.what)
        elif effect.kind == "state" and "[" in name:
            name = name[name.index("[") + 1 : name.rindex("]")]
            found[name] = found.get(name, Marks())._replace(state=effect.what)
        else:
            found[name] = found.get(name, Marks())._replace(value=effect.what)
    return found


def hinted(stop: Stop | None) -> bool:
    """Whether the marks tell of all phases since the last stop, and not of the phase done."""
    return stop is not None and stop.effects is not None and stop.effects.basis == "counters"


def visible_tensors(snapshot: Snapshot, top: int, height: int) -> tuple[str, ...]:
    """The names of the rows in view that have figures to be asked for."""
    rows = snapshot.objects.rows if snapshot.objects else ()
    return tuple(row.name for row in rows[top : top + height] if row.node in TENSORS)


class Columns(NamedTuple):
    """Widths of the columns; 0 leaves one out."""

    name: int
    shape: int
    dtype: int
    norm: int
    grad: int
    ratio: int
    owner: int


def _orphan(row: ObjectRow) -> bool:
    """Whether it is a parameter that no step will ever change."""
    return row.node == "parameter" and row.trainable and not row.owner


def _named(row: ObjectRow) -> str:
    """The name with what must be told beside it."""
    return "  " * row.depth + row.label + (f"  {ORPHAN}" if _orphan(row) else "")


def columns(width: int, rows: tuple[ObjectRow, ...], glyphs: Glyphs, told: Collection[str] = ()) -> Columns:
    """What fits into a width: the name always, then norm and gradient, then the rest.

    Args:
        width: Cells.
        rows: All rows.
        glyphs: What to draw with.
        told: Labels that are to be read whole.
    """
    sizes = max([5, *(len(shape(row.shape, glyphs.times)) for row in rows if row.node in TENSORS)])
    sizes = min(16, sizes)
    wish = max([12, *(row.depth * 2 + len(row.label) + len(row.cls) + 6 for row in rows)])
    fixed = {"norm": 11, "grad": GRAD, "shape": sizes + 1, "ratio": 10, "dtype": 10, "owner": 18}
    if width < ROOMY:
        fixed |= {"norm": 10, "grad": GRAD - 1, "ratio": 9}
    kept: dict[str, int] = {}
    remarked = [len(_named(row)) + 3 for row in rows if _orphan(row) or row.label in told]
    room = width - 4 - max([min(wish, 34, max(12, width * 3 // 10)), *(min(MOST_REMARKED, each) for each in remarked)])
    for column, wide in fixed.items():
        if room < wide:
            break
        kept[column] = wide
        room -= wide
    name = width - 4 - sum(kept.values())
    return Columns(min(name, max(wish, 24)), *(kept.get(field, 0) for field in Columns._fields[1:]))


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel. Its body has a row per row of `Objects`."""
    objects = snapshot.objects
    if objects is None or not objects.rows:
        words = (
            f"Nothing is known of the model yet. Press {key_of('next', snapshot)}: it is found at its first forward, "
            "or by its optimizer."
        )
        if not snapshot.paused:
            words = "Nothing is known of the model: nobody has looked at it while training stood still."
        if snapshot.looking_back:
            words = "Not recorded: nobody had the model listed at this stop."
        return Drawing(title=(Span("model", "dim"),), body=lesson(words, frame), total=0)
    rows = objects.rows
    dated = _of_earlier_updates(rows, snapshot.stop)
    named = tuple(dated.get(row.name, row) for row in rows) if dated else rows
    wide = columns(frame.width, named, frame.glyphs, {row.label for row in dated.values()})
    singles = {row.elements == 1 for row in rows if row.node in TENSORS}
    head = _heading(wide, frame.glyphs, singles)
    seen = marks(snapshot.stop)
    spare = frame.height - 2 - len(rows)
    foot = _legend(wide, frame, mixed=len(singles) == 2)
    foot = foot[: max(0, spare)]
    end = frame.top + max(0, frame.height - 1 - len(foot))
    body = tuple(
        _row(
            row,
            _figures(row, snapshot),
            seen.get(row.name, Marks()),
            wide,
            index == frame.cursor,
            frame,
            equals="=" if len(singles) == 2 else "",
            unsure=UNSURE if hinted(snapshot.stop) else "",
        )
        for index, row in enumerate(named[frame.top : end], frame.top)
    )
    return Drawing(_title(rows, snapshot, wide), (head,), body, len(rows), foot)


def _of_earlier_updates(rows: tuple[ObjectRow, ...], stop: Stop | None) -> dict[str, ObjectRow]:
    """Batch, outputs and loss that are not of this update, by name, and their heading, with a label that says so."""
    if stop is None or not stop.made_in:
        return {}
    last = list(takewhile(lambda row: row.node == "variable", reversed(rows)))
    updates = {row.name: stop.made_in.get(row.cls, stop.boundary.update) for row in last}
    if not last or len(last) == len(rows):
        return {}
    heading = rows[-len(last) - 1]
    if len(set(updates.values())) == 1 and heading.node == "group":
        (update,) = set(updates.values())
        here = update == stop.boundary.update
        return {} if here else {heading.name: replace(heading, label=f"of update {update}")}
    return {
        row.name: replace(row, label=f"{row.label}  of update {updates[row.name]}")
        for row in last
        if updates[row.name] != stop.boundary.update
    }


def _legend(wide: Columns, frame: Frame, *, mixed: bool) -> tuple[Line, ...]:
    """What signs and figures mean."""
    single = (SINGLE,) if mixed else ()
    ratio = (f"{_ratio(frame.glyphs)} size of the last step, to the value's",) if wide.ratio else ()
    return legend((*LEGEND, *single, *ratio), frame.width)


def legend(pieces: tuple[str, ...], width: int) -> tuple[Line, ...]:
    """What signs mean, in as few lines as it takes; none where one of the pieces has no room."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 2 + len(piece) <= width:
            lines[-1] += f"  {piece}"
        else:
            lines.append(f" {piece}")
    return tuple((Span(line, "faint"),) for line in lines) if all(len(line) <= width for line in lines) else ()


def _figures(row: ObjectRow, snapshot: Snapshot) -> Summary | str | None:
    """The figures of a row, or why a past stop has none; None where they are still to come."""
    summary = snapshot.summaries.get(row.name)
    return NOT_RECORDED if summary is None and snapshot.looking_back else summary


def _title(rows: tuple[ObjectRow, ...], snapshot: Snapshot, wide: Columns) -> Line:
    """The models, then as much as fits: a warning, how many parameters, of which type where no column says it."""
    models = [row for row in rows if row.node == "model"]
    words = ", ".join(f"{row.name} {row.cls}" for row in models[:2]) or "no model yet"
    hint = f"  {UNSURE}: since the last stop, by whichever phase" if hinted(snapshot.stop) else ""
    owned = sum(row.node == "parameter" for row in takewhile(lambda row: row.node != "group", rows))
    loose = sum(row.node == "parameter" for row in rows) - owned
    more = f", {loose} more in no model" if loose else ""
    types = {row.dtype for row in rows if row.node == "parameter"}
    dtype = f"  {types.pop()}" if not wide.dtype and len(types) == 1 else ""
    counted = Span(f"  {plural(owned, 'parameter')}", "dim")
    return (Span(plain(words)), Span(hint, "warning"), counted, Span(more, "dim"), Span(dtype, "dim"))


def _heading(wide: Columns, glyphs: Glyphs, singles: set[bool]) -> Line:
    """The columns' names; `singles` says whether there are tensors of one number, others, or both."""
    figures = "norm" if True not in singles else "norm/=value" if False in singles else "value"
    if len(figures) >= wide.norm:
        figures = "norm/=val" if figures.startswith("norm/") else figures
    parts = [Span("    " + padded("name", wide.name), "heading")]
    for words, field, left in (
        ("shape", wide.shape, True), ("dtype", wide.dtype, True), (figures, wide.norm, False),
        ("grad" if figures == "value" else "grad norm", wide.grad, False), (_ratio(glyphs), wide.ratio, False),
        ("    in", wide.owner, True),
    ):  # fmt: skip
        if field:
            parts.append(Span(padded(f"{words}", field) if left else right(words, field), "heading"))
    return tuple(parts)


def _ratio(glyphs: Glyphs) -> str:
    return "Δ/‖w‖" if glyphs.braille else "dw/|w|"


def _row(
    row: ObjectRow,
    known: Summary | str | None,
    mark: Marks,
    wide: Columns,
    here: bool,
    frame: Frame,
    *,
    equals: str,
    unsure: str,
) -> Line:
    """A row; a figure that is no norm but a value stands behind `equals`, and `unsure` behind a mark."""
    glyphs = frame.glyphs
    summary = known if isinstance(known, Summary) else None
    target = f"object:{row.name}"
    tensor = row.node in TENSORS
    sign = SIGNS.get(mark.value, " ")
    state = SIGNS[mark.state] + unsure if mark.state else " "
    cursor = glyphs.cursor if here else " "
    indent = "  " * row.depth
    label = plain(row.label)
    role = "" if tensor else "module"
    if row.node == "group":
        role = "heading"
    if tensor and mark.value:
        role = f"mark.{mark.value}"
    orphan = _orphan(row)
    if orphan and not wide.owner and len(indent) + len(label) + len(ORPHAN) + 3 <= wide.name:
        label = f"{label}  {ORPHAN}"
    name = padded(indent + label, wide.name - 1, glyphs.ellipsis) + " "
    if not tensor and row.cls and len(indent) + len(label) + 2 < wide.name:
        name = f"{indent}{label}"
    spans = [
        Span(cursor, "cursor" if frame.focused else "dim", target),
        Span(sign, f"mark.{mark.value}" if mark.value else "", target),
        Span(unsure if mark.value and unsure else " ", "dim", target),
        Span(name, role + (".here" if here and frame.focused else ""), target),
    ]
    if not tensor:
        rest = wide.name - len(name)
        words = f"  {plain(row.cls)}" if row.cls and rest > 0 else ""
        spans.append(Span(padded(words, rest, glyphs.ellipsis), "dim", target))
        return tuple(spans)
    spans.insert(3, Span(" ", "", target))
    if wide.shape:
        spans.append(Span(padded(shape(row.shape, glyphs.times), wide.shape), "dim", target))
    if wide.dtype:
        spans.append(Span(padded(row.dtype, wide.dtype), "dim", target))
    bad = summary is not None and not summary.finite
    if isinstance(known, str):
        spans.append(Span(right(known, wide.norm + wide.grad + wide.ratio, glyphs.ellipsis), "past", target))
        wide = wide._replace(norm=0, grad=0, ratio=0)
    if wide.norm:
        norm = _value_or_norm(summary.value, summary.norm, equals) if summary else ""
        role = f"mark.{mark.value}" if mark.value else ("error" if bad else "number")
        spans.append(Span(right(("!" if bad else "") + norm, wide.norm), role, target))
    if wide.grad:
        words = ""
        if summary and row.node == "parameter":
            words = _value_or_norm(summary.grad_value, summary.grad_norm, equals)
        if mark.grad == "freed":
            words = "freed"
        elif row.node == "parameter" and not row.trainable:
            words = "frozen"
        role = f"mark.{mark.grad}" if mark.grad else "number"
        sign = SIGNS[mark.grad] + unsure if mark.grad else " "
        spans.append(Span(f"   {sign}{right(words, wide.grad - 3 - len(sign))}", role, target))
    if wide.ratio:
        ratio = summary.update_ratio if summary else None
        none = "-" if summary and row.node == "parameter" and row.trainable else ""
        spans.append(Span(right(none if ratio is None else figure(ratio), wide.ratio), "number", target))
    if wide.owner:
        owner = row.owner or (ORPHAN if orphan else "")
        words = f"  {state} {owner}" if owner else ""
        spans.append(Span(padded(words, wide.owner, glyphs.ellipsis), "dim" if row.owner else "warning", target))
    return tuple(spans)


def _value_or_norm(value: float | None, norm: float | None, equals: str) -> str:
    return figure(norm) if value is None else f"{equals}{figure(value, 8)}"


def describe(row: ObjectRow) -> str:
    """A row in a sentence, for the edit dialog."""
    return f"{row.name}: {shape(row.shape)} {row.dtype}, {size(row.bytes)}"
