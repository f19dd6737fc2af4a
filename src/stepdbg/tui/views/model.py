"""Panel 1: every parameter and buffer as a tree of modules, with what the phase just done did to each.

The marks are signs, so that nothing hangs on a colour: `*` changed, `~` written with the same value, `+` created,
`-` freed. Each stands in a column of its own, so that none is taken for the sign of a number: a row's at its left, its
gradient's and its optimizer state's before those. A tensor of one number shows that number, any other its norm.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import ObjectRow, Stop, Summary
from stepdbg.tui.actions import key_of
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views.lines import Drawing, Frame, Glyphs, Line, Span, lesson, padded, plain, right
from stepdbg.tui.views.numbers import figure, plural, shape, size

SIGNS = {"changed": "*", "touched": "~", "created": "+", "freed": "-"}
NOT_RECORDED = "not recorded"
TENSORS = ("parameter", "buffer", "variable")
"""The rows that have numbers."""
GRAD = 13
"""Cells for a gradient: its mark, as far from the figure before it as from its own, and its figure."""
LEGEND = ("+ created", "* changed", "~ same value", "- freed")
"""What the marks mean."""
SINGLE = "= a value, no norm"
"""What a figure means that stands behind a `=`."""
ORPHAN = "no optimizer"
"""Beside a parameter that no step will ever change."""


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


def columns(width: int, rows: tuple[ObjectRow, ...], glyphs: Glyphs) -> Columns:
    """What fits into a width: the name always, then norm and gradient, then the rest."""
    sizes = max([5, *(len(shape(row.shape, glyphs.times)) for row in rows if row.node in TENSORS)])
    sizes = min(16, sizes)
    wish = max([12, *(row.depth * 2 + len(row.label) + len(row.cls) + 6 for row in rows)])
    fixed = {"norm": 11, "grad": GRAD, "shape": sizes + 1, "ratio": 10, "dtype": 10, "owner": 18}
    kept: dict[str, int] = {}
    room = width - 4 - min(wish, 34, max(12, width // 3))
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
    wide = columns(frame.width, rows, frame.glyphs)
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
        )
        for index, row in enumerate(rows[frame.top : end], frame.top)
    )
    return Drawing(_title(rows, snapshot), (head,), body, len(rows), foot)


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


def _title(rows: tuple[ObjectRow, ...], snapshot: Snapshot) -> Line:
    models = [row for row in rows if row.node == "model"]
    words = ", ".join(f"{row.name} {row.cls}" for row in models[:2]) or "no model yet"
    effects = snapshot.stop.effects if snapshot.stop else None
    hint = "  marks are a hint (version counters)" if effects and effects.basis == "counters" else ""
    tensors = sum(row.node == "parameter" for row in rows)
    return (Span(plain(words)), Span(f"  {plural(tensors, 'parameter')}", "dim"), Span(hint, "warning"))


def _heading(wide: Columns, glyphs: Glyphs, singles: set[bool]) -> Line:
    """The columns' names; `singles` says whether there are tensors of one number, others, or both."""
    figures = "norm" if True not in singles else "norm/=value" if False in singles else "value"
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
    row: ObjectRow, known: Summary | str | None, mark: Marks, wide: Columns, here: bool, frame: Frame, *, equals: str
) -> Line:
    """A row; a figure that is no norm but a value stands behind `equals`."""
    glyphs = frame.glyphs
    summary = known if isinstance(known, Summary) else None
    target = f"object:{row.name}"
    tensor = row.node in TENSORS
    sign = SIGNS.get(mark.value, " ")
    state = SIGNS.get(mark.state, " ") if mark.state else " "
    cursor = glyphs.cursor if here else " "
    indent = "  " * row.depth
    label = plain(row.label)
    role = "" if tensor else "module"
    if row.node == "group":
        role = "heading"
    if tensor and mark.value:
        role = f"mark.{mark.value}"
    orphan = row.node == "parameter" and row.trainable and not row.owner
    if orphan and not wide.owner and len(indent) + len(label) + len(ORPHAN) + 3 <= wide.name:
        label = f"{label}  {ORPHAN}"
    name = padded(indent + label, wide.name - 1, glyphs.ellipsis) + " "
    if not tensor and row.cls and len(indent) + len(label) + 2 < wide.name:
        name = f"{indent}{label}"
    spans = [
        Span(cursor, "cursor" if frame.focused else "dim", target),
        Span(sign, f"mark.{mark.value}" if mark.value else "", target),
        Span(" ", "", target),
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
        spans.append(Span(f"   {SIGNS.get(mark.grad, ' ')}{right(words, wide.grad - 4)}", role, target))
    if wide.ratio:
        ratio = summary.update_ratio if summary else None
        spans.append(Span(right("" if ratio is None else figure(ratio), wide.ratio), "number", target))
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
