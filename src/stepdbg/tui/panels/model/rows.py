"""The rows of the Model panel and the columns that they stand in: which fit into a width, and what gives way."""

from __future__ import annotations

import math
from collections.abc import Collection
from typing import NamedTuple

from stepdbg.listing.search import TENSORS
from stepdbg.listing.tree import Marks
from stepdbg.protocol.messages import ObjectRow, Order, Summary
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import (
    Frame,
    Glyphs,
    Line,
    Span,
    Target,
    lit,
    padded,
    plain,
    right,
    shortened,
    shortened_name,
)
from stepdbg.tui.drawing.marks import SIGNS
from stepdbg.tui.drawing.numbers import figure, plural, shape, size
from stepdbg.tui.state.targets import PanelTarget

MOST_REMARKED = 22
"""The most cells that a name with a remark beside it takes from the figures."""
ROOMY = 72
"""Cells from which on figures have room around them."""
LEAST = 7
"""Cells of a name that still tell something beside a remark."""
NAMED = 8
"""Cells of another name of a tied parameter that still tell something."""
GRAD = 13
"""Cells for a gradient: its mark, as far from the figure before it as from its own, and its figure."""
EVAL = "eval mode"
"""Beside a model or module that is in evaluation mode, and lies in none that is."""
ORPHAN = "no optimizer"
"""Beside a parameter that no step will ever change."""


class SortTarget(Target, frozen=True):
    """The rows are to be sorted by a column."""

    order: Order


class FoldTarget(Target, frozen=True):
    """A module is to be folded or unfolded."""

    module: str
    """The name of the module that a click folds or unfolds."""


class Columns(NamedTuple):
    """Widths of the columns; 0 leaves one out."""

    name: int
    shape: int
    dtype: int
    device: int
    norm: int
    grad: int
    ratio: int
    owner: int


def _orphan(row: ObjectRow) -> bool:
    """Whether the row is a parameter that no step will ever change."""
    return row.node == "parameter" and row.trainable and not row.owner


def _named(row: ObjectRow) -> str:
    """The name with what must be told beside it."""
    return _indent(row, 2) + row.label + (f"  {ORPHAN}" if _orphan(row) else "")


def _indent(row: ObjectRow, step: int) -> str:
    """How far a row is set in."""
    return " " * (step * row.depth)


def step_of(rows: tuple[ObjectRow, ...], wide: int) -> int:
    """Cells that a row is set in for each module around it: fewer where names would have to be cut for it."""
    return 2 if max([0, *(row.depth * 2 + _length(row) for row in rows if row.node != "buffer")]) <= wide else 1


def _length(row: ObjectRow) -> int:
    """Cells of the label of a row, with what stands before and behind it at least."""
    return len(row.label) + (2 if row.node in TENSORS else 3)


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
    devices = min(12, max([3, *(len(row.device) for row in rows)]))
    wish = max([12, *(row.depth * 2 + len(row.label) + len(row.cls) + len(_also(row)) + 8 for row in rows)])
    wish += 7 if any(row.folded for row in rows) else 0
    fixed = {
        "norm": 11, "grad": GRAD, "shape": sizes + 1, "ratio": 10, "dtype": 10, "owner": 18, "device": devices + 4,
    }  # fmt: skip
    if width < ROOMY:
        fixed |= {"norm": 10, "grad": GRAD - 1, "ratio": 9}
    kept: dict[str, int] = {}
    remarked = [len(_named(row)) + 3 for row in rows if _orphan(row) or row.label in told]
    least = max([12, *(row.depth + _length(row) for row in rows if row.node != "buffer")])  # names give way last
    shown = max(min(wish, 34, max(12, width * 3 // 10)), min(least, width * 45 // 100))
    room = width - 4 - max([shown, *(min(MOST_REMARKED, each) for each in remarked)])
    for column, wide in fixed.items():
        if room < wide:
            break
        kept[column] = wide
        room -= wide
    name = width - 4 - sum(kept.values())
    return Columns(min(name, max([wish, 24, *remarked])), *(kept.get(field, 0) for field in Columns._fields[1:]))


def heading(wide: Columns, glyphs: Glyphs, singles: set[bool], order: Order) -> Line:
    """The columns' names, with what a click on them sorts by; `singles` says whether there are tensors of one number,
    others, or both.
    """
    figures = "norm" if True not in singles else "norm/=value" if False in singles else "value"
    if len(figures) >= wide.norm:
        figures = "norm/=val" if figures.startswith("norm/") else figures
    named = f"name{glyphs.branch}" if order == "name" else "name"
    parts = [
        Span("    ", "heading"),
        Span(padded(named, wide.name), "accent" if order == "name" else "heading", SortTarget("name")),
    ]
    kinds: tuple[tuple[str, int, bool, Order | None], ...] = (
        ("shape", wide.shape, True, "size"), ("dtype", wide.dtype, True, None), (figures, wide.norm, False, "norm"),
        ("grad" if figures == "value" else "grad norm", wide.grad, False, "grad"),
        (ratio_heading(glyphs), wide.ratio, False, "ratio"), ("    in", wide.owner, True, None),
        ("device", wide.device, True, None),
    )  # fmt: skip
    for words, field, left, by in kinds:
        if field:
            here = by is not None and by == order
            if here:
                full = f"{words}{glyphs.branch}"
                words = full if len(full) < field else f"{words.partition('/')[0]}{glyphs.branch}"
            text = padded(words, field) if left else right(words, field)
            parts.append(Span(text, "accent" if here else "heading", SortTarget(by) if by else None))
    return tuple(parts)


def ratio_heading(glyphs: Glyphs) -> str:
    """What the column of the last step's relative size is called."""
    return "Δ/‖w‖" if glyphs.braille else "dw/|w|"


def drawn(
    row: ObjectRow,
    known: Summary | str | None,
    mark: Marks,
    wide: Columns,
    here: bool,
    frame: Frame,
    *,
    equals: str,
    unsure: str,
    evaluating: bool,
    step: int,
    point: str = "",
    fault: str = "",
) -> Line:
    """A row; a figure that is no norm but a value stands behind `equals`, `unsure` behind a mark, and `point`, the sign
    of a breakpoint on it, before its name. `fault` is the role of a mark for what a rule has found about it.
    """
    glyphs = frame.glyphs
    summary = known if isinstance(known, Summary) else None
    tensor = row.node in TENSORS
    unfit = summary is not None and not summary.finite
    bad_grad = unfit and summary is not None and summary.norm is not None and math.isfinite(summary.norm)
    bad = unfit and not bad_grad
    done = mark.value or ("" if tensor else mark.grad or mark.state)
    sign = SIGNS.get(done, " ")
    state = SIGNS[mark.state] + unsure if mark.state else " "
    cursor = glyphs.cursor if here else " "
    indent = _indent(row, step)
    label = plain(row.label)
    fold = "" if tensor else f"{glyphs.folded if row.folded else glyphs.branch} "
    if tensor:
        room = wide.name - len(indent) - 1
        also = _also(row, room - len(label), glyphs.ellipsis)
        label = shortened_name(label, room - len(also), glyphs.ellipsis) + also
    else:
        label = fold + shortened_name(label, wide.name - 1 - len(indent) - len(fold), glyphs.ellipsis) + _also(row)
    role = "" if tensor else "module"
    if row.node == "group":
        role = "heading"
    if tensor and mark.value:
        role = f"mark.{mark.value}"
    orphan = _orphan(row)
    if remark := _remark(row, wide):
        room = wide.name - 1 - len(remark) - 2
        indent = indent[: max(0, room - LEAST)]  # margins give way first, then the name; no fault does
        label = f"{shortened_name(label, room - len(indent), glyphs.ellipsis)}  {remark}"
    name = padded(indent + label, wide.name - 1, glyphs.ellipsis) + " "
    mode = ""
    if evaluating:
        mode = EVAL if len(indent) + len(label) + len(EVAL) + 2 <= wide.name else EVAL.partition(" ")[0]
        room = wide.name - len(mode) - 3
        indent = indent[: max(0, room - len(label))]
        label = shortened(label, room - len(indent), glyphs.ellipsis)
    if not tensor and (row.cls or evaluating) and len(indent) + len(label) + 2 < wide.name:
        name = f"{indent}{label}"
    spans = [
        Span(cursor, "cursor" if frame.focused else "dim"),
        Span(sign, f"mark.{done}" if done else ""),
        Span("!", "error")
        if (bad and not wide.norm) or (bad_grad and not wide.grad)
        else Span("!", fault, PanelTarget("findings"))
        if fault
        else Span(unsure, "dim")
        if mark.value and unsure
        else Span(point if point and not tensor else " ", "breakpoint" if point and not tensor else "dim"),
        Span(name, role + (".here" if here and frame.focused else "")),
    ]
    if fold:
        start = len(indent) + len(fold)
        place = FoldTarget(row.name)
        spans[3:] = [Span(name[:start], "dim", place), spans[3]._replace(text=name[start:])]
    if not tensor:
        rest = sum(wide) - len(name)  # a module leaves the other columns empty
        words = f"  {plain(row.cls)}" if row.cls and row.cls != row.label and rest > 0 else ""
        if rest < min(LEAST, cell_len(words)):
            words = ""  # two letters of a class say nothing
        if mode:
            words = f"  {mode}{words}"
        figures = _of_module(summary, wide) if row.folded and summary is not None else ()
        if figures:  # a tensor's begin a cell further right
            rest += 1 - (wide.norm + wide.grad + wide.ratio + wide.owner + wide.device)
        for more in (f"  {size(row.bytes)}", *((f"  {plural(row.elements, 'element')}",) if figures else ())):
            if row.folded and row.bytes and len(words) + len(more) <= rest:  # a figure is not cut
                words += more
        spans.append(Span(padded(words, rest, glyphs.ellipsis), "dim"))
        return (*spans, *figures)
    spans.insert(3, Span(point or " ", "breakpoint" if point else ""))
    if wide.shape:
        spans.append(Span(padded(shape(row.shape, glyphs.times), wide.shape), "dim"))
    if wide.dtype:
        spans.append(Span(padded(row.dtype, wide.dtype), "dim"))
    if summary is not None and summary.unreadable:
        known = summary.unreadable
    if isinstance(known, str):
        spans.append(Span(right(known, wide.norm + wide.grad + wide.ratio, glyphs.ellipsis), "past"))
        wide = wide._replace(norm=0, grad=0, ratio=0)
    if wide.norm:
        room = wide.norm - 1 - bad
        norm = _value_or_norm(summary.value, summary.norm, equals, room) if summary else ""
        if summary and summary.value is None and _labels(row):
            norm = ""
        role = f"mark.{mark.value}" if mark.value else ("error" if bad else "number")
        spans.append(Span(right(("!" if bad else "") + norm, wide.norm), role))
    if wide.grad:
        words = ""
        sign = SIGNS[mark.grad] + unsure if mark.grad else " "
        if summary and row.node == "parameter":
            words = _value_or_norm(summary.grad_value, summary.grad_norm, equals, wide.grad - 3 - len(sign))
        if mark.grad == "freed":
            words = "freed"
        elif row.node == "parameter" and not row.trainable:
            words = "frozen"
        role = f"mark.{mark.grad}" if mark.grad else "number"
        spans += [Span("  ", role), Span("!" if bad_grad else " ", "error" if bad_grad else role)]
        spans.append(Span(f"{sign}{right(words, wide.grad - 3 - len(sign))}", role))
    if wide.ratio:
        ratio = summary.update_ratio if summary else None
        none = "-" if summary and row.node == "parameter" and row.trainable else ""
        spans.append(Span(right(none if ratio is None else figure(ratio), wide.ratio), "number"))
    if wide.owner:
        owner = row.owner or (ORPHAN if orphan else "")
        words = f"  {state} {owner}" if owner else ""
        spans.append(Span(padded(words, wide.owner, glyphs.ellipsis), "dim" if row.owner else "warning"))
    if wide.device:
        spans.append(Span(padded(row.device, wide.device, glyphs.ellipsis), "dim"))
    return lit(tuple(spans), 3) if here and frame.focused else tuple(spans)


def _of_module(summary: Summary, wide: Columns) -> tuple[Span, ...]:
    """The norms of all parameters of a folded module and of their gradients, in their columns; none where they are not
    known, or have no room.
    """
    if summary.norm is None or not wide.norm:
        return ()
    bad = not math.isfinite(summary.norm)
    words = ("!" if bad else "") + figure(summary.norm, min(9, wide.norm - 1 - bad))
    spans = [Span(right(words, wide.norm), "error" if bad else "number")]
    if wide.grad:
        bad = summary.grad_norm is not None and not math.isfinite(summary.grad_norm)
        words = "" if summary.grad_norm is None else figure(summary.grad_norm, min(9, wide.grad - 4))
        spans += [Span("  ", ""), Span("!" if bad else " ", "error"), Span(right(words, wide.grad - 3), "number")]
    return (*spans, Span(" " * (wide.ratio + wide.owner + wide.device)))


def _remark(row: ObjectRow, wide: Columns) -> str:
    """What stands beside a name for want of a column that says it."""
    if _orphan(row) and not wide.owner:
        return ORPHAN
    return "frozen" if row.node == "parameter" and not row.trainable and not wide.grad else ""


def _labels(row: ObjectRow) -> bool:
    """Whether the tensor holds labels, indices or masks, of which a norm says nothing."""
    return row.node == "variable" and row.elements > 1 and row.dtype.startswith(("int", "uint", "bool"))


def _value_or_norm(value: float | None, norm: float | None, equals: str, room: int = 9) -> str:
    """The figure in so many cells at most: one that would be cut has fewer digits."""
    room = min(9, room)
    return figure(norm, room) if value is None else f"{equals}{figure(value, min(8, room - len(equals)))}"


def _also(row: ObjectRow, room: int = 1_000, ellipsis: str = "") -> str:
    """Under which other names a tied parameter is known; where there is hardly room, that there are some."""
    if not row.also:
        return ""
    name = plain(row.also[0])
    more = f" and {len(row.also) - 1} more" if len(row.also) > 1 else ""
    left = room - len("  = ") - len(more)
    if left < min(NAMED, len(name)):
        return f"  ={ellipsis}"
    return f"  = {shortened_name(name, left, ellipsis)}{more}"
