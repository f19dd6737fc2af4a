"""Panel 2: the selected tensor, its gradient and its optimizer state: figures, maps, numbers, pictures.

Numbers come only for the window that is on the screen. All but the last dimension run down, the last runs across.
"""

from __future__ import annotations

import math
import struct

from stepdbg.protocol import slices
from stepdbg.protocol.messages import Condition, Histogram, Side, Statistics, TensorView, Window
from stepdbg.tui.drawing.lines import (
    NAME,
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    cropped,
    lesson,
    padded,
    plain,
    right,
    whole,
    width_of,
)
from stepdbg.tui.drawing.numbers import count, figure, plural, shape, size
from stepdbg.tui.panels.tensor import change
from stepdbg.tui.panels.tensor import columns as beside
from stepdbg.tui.panels.tensor import heatmap as heat
from stepdbg.tui.panels.tensor import images as pictures
from stepdbg.tui.panels.tensor.conditions import holds
from stepdbg.tui.panels.tensor.layout import CELL, Layout, Mode, divided
from stepdbg.tui.panels.tensor.slots import BESIDE, MAPS, PART, PICTURES, TENSOR
from stepdbg.tui.panels.tensor.targets import CellTarget, PartTarget
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget

_FIGURES = ("min", "max", "mean", "std", "norm")


def numbers(window: Window) -> list[float] | list[int] | list[bool]:
    """The values of a window, row by row."""
    total = window.rows * window.columns
    return list(struct.unpack(f"<{total}{window.format}", window.values))


_DIGITS = {"float32": 9, "float16": 5, "bfloat16": 4}
"""Significant digits after which a number reads back as the same bits; others take 17."""


def number_at(view: TensorView, row: int, column: int) -> str | None:
    """The number in a cell of the table with all its digits; None where it is not in the window."""
    window = view.window
    if window is None:
        return None
    y, x = row - window.row, column - window.column
    if not (0 <= y < window.rows and 0 <= x < window.columns):
        return None
    value = numbers(window)[y * window.columns + x]
    return f"{value:.{_DIGITS.get(view.dtype, 17)}g}" if isinstance(value, float) else str(value)


def figures_in_words(statistics: Statistics) -> str:
    """`min -0.3 max 0.4 …`, all digits."""
    return " ".join(f"{name} {getattr(statistics, name)}" for name in (*_FIGURES, "zeros", "nan", "inf"))


def index_of(view: TensorView, row: int, column: int) -> tuple[int, ...]:
    """The index in the whole tensor of the cell at a row and column of the table, as Python writes it."""
    if not view.shape and not view.where:
        return ()
    index = [column] if view.shape else []
    for length in reversed(view.shape[:-1]):
        index.insert(0, row % max(1, length))
        row //= max(1, length)
    return slices.original(slices.read(view.where, view.whole), tuple(index)) if view.where else tuple(index)


def is_missing(view: TensorView | None, part: str) -> bool:
    """Whether that part is a gradient that is None."""
    return view is not None and part == "grad" and all(one.label != part for one in view.parts)


def shown_part(snapshot: Snapshot, part: str) -> TensorView | None:
    """The view whose numbers are shown for that part; None where there is none, or not yet."""
    if part == "value":
        return snapshot.answer(TENSOR)
    return None if is_missing(snapshot.answer(TENSOR), part) else snapshot.answer(PART)


def draw(
    snapshot: Snapshot,
    frame: Frame,
    part: str = "value",
    row: int = 0,
    column: int = 0,
    mode: Mode | None = "numbers",
    pool: str = "extreme",
    side: Side = "now",
    condition: Condition | None = None,
) -> Drawing:
    """The panel.

    Args:
        snapshot: What is known.
        frame: The place; `top` is the first row of numbers, `column` the first column in view.
        part: The label of the part whose numbers are shown: `value`, `grad`, `exp_avg`.
        row: The row of the cell under the cursor.
        column: Its column.
        mode: Numbers, heat maps, both or pictures; None: what suits.
        pool: What a pixel of a heat map shows of the elements that it stands for.
        side: Whether it is shown as it is, as it was, or the difference.
        condition: Which elements are marked.
    """
    view = snapshot.answer(TENSOR)
    if view is None:
        how = f"No tensor is selected. Press {snapshot.key('open')} on a row of the Model panel."
        words = snapshot.problem(TENSOR) or how
        return Drawing(title=(Span("none selected", "dim"),), body=lesson(words, frame))
    shown = shown_part(snapshot, part)
    layout = divided(frame, view, part, mode, shown.window.total_rows if shown and shown.window else 1, side)
    head: list[Line] = []
    if layout.parts:
        head.append(_heading(frame.width))
        for each in heat.parts_of(view):
            why = plain(view.note).partition(":")[0] if each.label == "value" else ""
            head.append(_part_line(each.label, each.statistics, each.label == part, frame, PartTarget(each.label), why))
    if layout.own and shown is not None:
        head.append(_part_line(shown.where or shown.side, shown.statistics, False, frame, None))
    told = change.change_of(view, part)
    if layout.change and told is not None:
        head.append(change.draw(told, side, frame))
    if layout.histogram:
        head += _histogram_lines(shown.histogram if shown else None, frame.width, frame.glyphs)
    heads = len(head)
    if problem := snapshot.problem(TENSOR):
        head.append((Span(f" {problem}"[: frame.width], "error"),))
        return Drawing(_title(view, frame), tuple(head), (), 0)
    total = math.prod(view.shape[:-1]) if view.shape else 1
    title = _title(view, frame, view, row, column)
    if layout.strip is not None:
        head += _strip_lines(snapshot, view, layout, row, frame)
    maps = _map_lines(snapshot, view, layout, part, (row, column), frame, pool)
    head += () if layout.aside else maps
    drawn = snapshot.answer(MAPS) if layout.maps is not None else snapshot.answer(PICTURES)
    if snapshot.looking_back and drawn is None and (layout.maps is not None or layout.strip is not None):
        head.append((Span(f" {'map' if layout.maps is not None else 'pictures'} not recorded", "past"),))
    if (layout.maps is not None and not layout.aside) or layout.strip is not None:
        missing = (layout.maps.lines if layout.maps else 0) - (len(head) - heads)
        head += [()] * max(0, missing)
    if is_missing(view, part):
        words = f" {part} is None; {snapshot.key('edit')} makes one"
        return Drawing(_title(view, frame), (*head, (Span(words[: frame.width], "dim"),)), (), 0)
    if shown is None or shown.window is None or not layout.rows:
        return Drawing(title if shown is not None else _title(view, frame), tuple(head), (), total)
    if layout.mode == "beside":
        rows = range(frame.top, min(total, frame.top + layout.rows))
        indices = [index_of(view, place, column) for place in rows]
        lines = beside.draw(
            snapshot.answer(BESIDE), view, part, (row, column), frame.top, layout.rows, indices, frame, condition
        )
        return Drawing(title, (*head, lines[0]), tuple(lines[1:]), total)
    lines = _window_lines(shown.window, frame, layout, row, column, condition)
    if layout.aside:
        lines = _side_by_side(lines, maps, layout.aside)
    return Drawing(title, (*head, lines[0]), tuple(lines[1:]), shown.window.total_rows)


def _map_lines(
    snapshot: Snapshot, view: TensorView, layout: Layout, part: str, cursor: tuple[int, int], frame: Frame, pool: str
) -> list[Line]:
    """The heat maps; none while those that are known are of something else."""
    planned, maps = layout.maps, snapshot.answer(MAPS)
    if planned is None or maps is None:
        return []
    known = {one.object for one in maps.maps} & {one.object for one in view.parts}
    if (maps.total_rows, maps.total_columns) != heat.size_of(view.shape) or not known:
        return []
    return heat.draw(maps, planned, view, part, *cursor, frame.width - layout.aside, frame.glyphs, pool)


def _side_by_side(numbers: list[Line], maps: list[Line], wide: int) -> list[Line]:
    """The lines of numbers, and from cell `wide` on those of the maps."""
    numbers = numbers + [()] * (len(maps) - len(numbers))
    beside = maps + [()] * (len(numbers) - len(maps))
    return [
        (*left, Span(" " * (wide - width_of(left))), *right_of_it) if right_of_it else left
        for left, right_of_it in zip(numbers, beside, strict=True)
    ]


def _strip_lines(snapshot: Snapshot, view: TensorView, layout: Layout, row: int, frame: Frame) -> list[Line]:
    strip, found = layout.strip, snapshot.answer(PICTURES)
    if strip is None or found is None or found.object != view.object or found.channels != strip.images.channels:
        return []
    return pictures.draw(found, strip, row // strip.images.rows, frame.width, frame.glyphs)


def _title(
    view: TensorView, frame: Frame, shown: TensorView | None = None, row: int | None = None, column: int = 0
) -> Line:
    words = [shape(view.shape, frame.glyphs.times), view.dtype, view.device, size(view.bytes)]
    spans = [Span(plain(view.object), NAME)]
    if row is not None and shown is not None and (view.shape or view.where):
        index = ", ".join(map(str, index_of(shown, row, column)))
        spans.append(Span(f" [{index}]", "accent", ActionTarget("jump")))
    if any(part.statistics is not None and part.statistics.sampled for part in view.parts):
        spans.append(Span("  figures sampled", "warning"))
    spans += [Span(f"  {piece}", "dim") for piece in words]
    if shown is not None and shown.side != "now":
        spans.append(Span(f"  {shown.side}", "warning"))
    if view.note:
        spans.append(Span(f"  {plain(view.note)}", "warning"))
    return tuple(spans)


def _fields(width: int) -> tuple[int, int]:
    """Widths of a part's name and of one of its figures."""
    return (14, 10) if width >= 68 else (11, 9)


def _heading(width: int) -> Line:
    name, field = _fields(width)
    odd = "  nan, inf, zeros" if width >= 84 else ""
    words = " " * (3 + name) + "".join(right(each, field) for each in _FIGURES) + odd
    return cropped((Span(words, "heading"),), width)


def _part_line(
    label: str, statistics: Statistics | None, here: bool, frame: Frame, target: PartTarget | None, why: str = ""
) -> Line:
    """The figures of a part; `why` says why there are none."""
    mark = frame.glyphs.cursor if here else " "
    name, field = _fields(frame.width)
    bad = "!" if statistics is not None and (statistics.nan or statistics.inf) else " "
    spans = [Span(bad, "error", target), Span(f"{mark} ", "accent" if here else "", target)]
    spans.append(Span(padded(plain(label), name, frame.glyphs.ellipsis), "strong" if here else "", target))
    if statistics is None:
        none = Span(f"  {why}", "warning", target) if why else Span(right("none", field), "dim", target)
        return cropped((*spans, none), frame.width)
    for each in _FIGURES:
        spans.append(Span(right(figure(getattr(statistics, each), field - 1), field), "number", target))
    if statistics.nan:
        spans.append(Span(f"  {statistics.nan} nan", "error", ActionTarget("find_next") if here else target))
    if statistics.inf:
        spans.append(Span(f"  {statistics.inf} inf", "error", ActionTarget("find_next") if here else target))
    if statistics.zeros:
        spans.append(Span(f"  {plural(statistics.zeros, 'zero')}", "dim", target))
    if statistics.sampled:
        spans.append(Span(f"  of {count(statistics.sampled)} sampled", "warning", target))
    if statistics.distinct is not None and statistics.std is not None:  # of a single element it goes without saying
        spans.append(Span(f"  {statistics.distinct} distinct", "dim", target))
    return cropped(whole(tuple(spans), frame.width), frame.width)


def _histogram_lines(histogram: Histogram | None, width: int, glyphs: Glyphs) -> list[Line]:
    """The histogram on one line with its range at both ends, and an empty line on either side."""
    if histogram is None or not histogram.counts:
        return [(), ()]
    most = max(histogram.counts) or 1
    steps = len(glyphs.bars) - 1
    bars = "".join(
        glyphs.bars[0 if not number else 1 + min(steps - 1, int(number / most * steps))] for number in histogram.counts
    )
    low, high = figure(histogram.low), figure(histogram.high)
    words = "  sampled" if histogram.sampled else ""
    return [
        (),
        cropped((Span(f"   {low} ", "dim"), Span(bars, "chart.0"), Span(f" {high}{words}", "dim")), width),
    ]


def _window_lines(
    window: Window, frame: Frame, known: Layout, row: int, column: int, condition: Condition | None = None
) -> list[Line]:
    """The column numbers, and the rows of numbers."""
    gutter = max(5, len(str(window.total_rows)) + 2)
    across = min(known.columns, window.columns)
    top: list[Span] = [Span(right("* ", gutter), "match" if condition is not None else "faint", ActionTarget("mark"))]
    for offset in range(across):
        place = window.column + offset
        top.append(Span(right(str(place), CELL), "accent" if place == column else "heading"))
    if window.column + across < window.total_columns:
        more = f" {frame.glyphs.more_right}"
        if gutter + across * CELL + len(more) <= frame.width:
            top.append(Span(more, "dim"))
    values = numbers(window)
    lines: list[Line] = [tuple(top)]
    for offset in range(min(known.rows, window.rows)):
        place = window.row + offset
        spans = [Span(right(str(place), gutter - 1) + " ", "accent" if place == row else "heading")]
        for step in range(across):
            value = values[offset * window.columns + step]
            here = place == row and window.column + step == column
            role = "number"
            if here:
                role = "cell.here" if frame.focused else "strong"
            elif isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
                role = "error"
            words = figure(value)
            if condition is not None and holds(condition, value):
                words = f"*{words}"
                role = role if here else "match"
            spans.append(Span(right(words, CELL), role, CellTarget(place, window.column + step)))
        lines.append(tuple(spans))
    return lines
