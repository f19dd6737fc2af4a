"""Panel 5: each loss, and each value that the script watches, over the updates, as a chart with axes.

Braille cells hold 2×4 dots, so a chart of 60×10 cells shows 120×40 points. Under `--ascii` a point of the first line is
an asterisk, and every further line has a letter of its own. The losses share the vertical axis; a watched value may be
of any size, so it is drawn from its own lowest to its own highest, which the legend tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs, Line, Span, lesson, plain, right, whole, width_of
from stepdbg.tui.drawing.numbers import count, figure
from stepdbg.tui.records.losses import Point, Series
from stepdbg.tui.state.snapshot import Snapshot

GUTTER = 9
"""Cells of the vertical axis with its figures."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LETTERS = "*abcdefghijklmnopqrstuvwxyz"


class Curve(NamedTuple):
    """A line of the chart."""

    name: str
    points: tuple[Point, ...]
    low: float
    """The value at the bottom of the chart."""
    high: float
    """The value at its top."""
    own: bool = False
    """Whether low and high are its own, and not those of the axis."""


def curves(losses: Sequence[Series], watches: Sequence[Series]) -> list[Curve]:
    """The lines to draw. The axis is that of the losses; where there are none, that of the first watched value."""
    losses = [one for one in losses if one.points]
    watches = [one for one in watches if one.points]
    axis = _range(losses or watches[:1])
    found = [Curve(one.name, one.points, *axis) for one in losses]
    for one in watches:
        own = bool(found)
        found.append(Curve(one.name, one.points, *(_range([one]) if own else axis), own))
    return found


def _range(series: Sequence[Series]) -> tuple[float, float]:
    """The lowest and the highest finite value, never the same."""
    finite = [point.value for one in series for point in one.points if math.isfinite(point.value)]
    if not finite:
        return (0.0, 1.0)
    low, high = min(finite), max(finite)
    if high == low:
        return low - (abs(low) or 1) * 0.5, high + (abs(high) or 1) * 0.5
    return low, high


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel."""
    lines = curves(snapshot.losses, snapshot.watches)
    if not lines:
        missing, words = "no loss yet", "No loss yet. It is the tensor that backward is called on; the chart grows"
        if snapshot.stop is not None and snapshot.stop.boundary.loss is not None:  # one was computed, and no more
            missing, words = "no backward yet", "No backward yet. The chart grows with each loss that it is called on,"
        words += ' while training runs. stepdbg.watch("name", value) in your script draws a line beside it.'
        return Drawing(title=(Span(missing, "dim"),), body=lesson(words, frame))
    title, head = _legend(lines, frame)
    room = frame.height - len(head)
    return Drawing(title, head, tuple(chart(lines, frame.width, room, frame.glyphs)))


def _legend(lines: list[Curve], frame: Frame) -> tuple[Line, tuple[Line, ...]]:
    """Names and newest values: in the title where there is one line, else in rows below it, as few as hold them."""
    entries = [_entry(place, one, frame.glyphs, alone=len(lines) == 1) for place, one in enumerate(lines)]
    broken = sum(not math.isfinite(point.value) for one in lines for point in one.points)
    warning: Line = (Span(f"{broken} not finite", "error"),) if broken else ()
    if len(entries) == 1:
        return (*entries[0], *warning), ()
    rows: list[list[Span]] = [[]]
    for entry in entries:
        if rows[-1] and width_of((*rows[-1], *entry)) > frame.width - 1:
            rows.append([])
        rows[-1] += entry
    most = max(1, frame.height - 5)
    kept = rows[:most]
    left_out = len(entries) - sum(span.role.startswith("chart.") for row in kept for span in row)
    more = f"{len(entries)} lines" + (f", {left_out} more than the legend holds  " if left_out else "  ")
    return (Span(more, "dim"), *warning), tuple(whole((Span(" "), *row), frame.width) for row in kept)


def _entry(place: int, one: Curve, glyphs: Glyphs, *, alone: bool) -> Line:
    sign = (glyphs.rule * 2) if glyphs.braille else _LETTERS[place % len(_LETTERS)]
    spans = [Span(f"{sign} ", f"chart.{place % 4}"), Span(f"{plain(one.name)} {figure(one.points[-1].value)} ")]
    if one.own:
        spans.append(Span(f"({figure(one.low)} to {figure(one.high)}) ", "dim"))
    elif alone:
        lowest = min((point.value for point in one.points if math.isfinite(point.value)), default=None)
        spans.append(Span(f" lowest {figure(lowest)} ", "dim")) if lowest is not None else None
    return (*spans, Span(" "))


def chart(lines: Sequence[Curve], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The chart in exactly `height` lines, with a vertical axis, and a horizontal one in the last two."""
    across, down = max(2, width - GUTTER - 2), max(1, height - 2)
    if height < 3 or not any(math.isfinite(point.value) for one in lines for point in one.points):
        broken: Line = (Span(" every value is nan or infinite", "error"),)
        return [broken][:height] if height >= 3 else []
    low, high = lines[0].low, lines[0].high
    first = min(one.points[0].update for one in lines)
    last = max(max(one.points[-1].update for one in lines), first + 1)
    drawn = _braille if glyphs.braille else _letters
    cells = drawn(lines, across, down, (first, last))
    labels = {0: high, down - 1: low}
    if (only := _only_value(lines)) is not None:  # its own figure is on the axis, and no other
        dots = 4 if glyphs.braille else 1
        labels = {(down * dots - 1 - _place(only, low, high, down * dots)) // dots: only}
    elif down >= 5:
        labels[(down - 1) // 2] = high - (high - low) * ((down - 1) // 2) / max(1, down - 1)
    rows: list[Line] = []
    for y in range(down):
        words = right(figure(labels[y]), GUTTER - 1) if y in labels else " " * (GUTTER - 1)
        axis = glyphs.tick if y in labels else glyphs.column
        rows.append((Span(words, "dim"), Span(axis, "line"), *_runs(cells[y])))
    rows.append((Span(" " * (GUTTER - 1) + glyphs.corner + glyphs.rule * across, "line"),))
    rows.append(_scale(first, last, across))
    return rows[:height]


def _only_value(lines: Sequence[Curve]) -> float | None:
    """The one value that all points of the axis have."""
    values = {point.value for one in lines if not one.own for point in one.points if math.isfinite(point.value)}
    return values.pop() if len(values) == 1 else None


def _runs(cells: list[tuple[str, int]]) -> list[Span]:
    """Neighbouring cells of one loss as one span."""
    spans: list[Span] = []
    for character, owner in cells:
        role = f"chart.{owner % 4}"
        if spans and spans[-1].role == role:
            spans[-1] = Span(spans[-1].text + character, role)
        else:
            spans.append(Span(character, role))
    return spans


def _scale(first: int, last: int, across: int) -> Line:
    left, end = f"update {count(first)}", count(last)
    middle = count((first + last) // 2)
    gap = across - len(left) - len(end)
    if gap > len(middle) + 4 and last - first > 4:
        before = (across - len(middle)) // 2 - len(left)
        if before > 1:
            words = left + " " * before + middle
            return (Span(" " * GUTTER + words + right(end, across - len(words)), "dim"),)
    return (Span(" " * GUTTER + left + right(end, max(0, across - len(left))), "dim"),)


def _place(value: float, low: float, high: float, steps: int) -> int:
    return min(steps - 1, max(0, round((value - low) / (high - low) * (steps - 1))))


def _path(
    points: tuple[Point, ...], across: int, down: int, x: tuple[int, int], y: tuple[float, float]
) -> set[tuple[int, int]]:
    """The dots of a curve: per column the span of its values, joined to the column before it."""
    columns: dict[int, tuple[int, int, int]] = {}
    for update, value in points:
        if not math.isfinite(value):
            continue
        column = _place(update, x[0], x[1], across)
        row = down - 1 - _place(value, y[0], y[1], down)
        top, bottom, _ = columns.get(column, (row, row, row))
        columns[column] = (min(top, row), max(bottom, row), row)
    dots: set[tuple[int, int]] = set()
    before: tuple[int, int] | None = None
    for column in sorted(columns):
        top, bottom, newest = columns[column]
        dots.update((column, row) for row in range(top, bottom + 1))
        if before is not None:
            distance = column - before[0]
            for step in range(1, distance):
                row = round(before[1] + (newest - before[1]) * step / distance)
                dots.add((before[0] + step, row))
            if distance == 1 and not top <= before[1] <= bottom:
                near = top if before[1] < top else bottom
                dots.update((column, row) for row in range(min(near, before[1]), max(near, before[1])))
        before = (column, newest)
    return dots


def _braille(lines: Sequence[Curve], across: int, down: int, x: tuple[int, int]) -> list[list[tuple[str, int]]]:
    bits = [[0] * across for _ in range(down)]
    owner = [[0] * across for _ in range(down)]
    for index, one in enumerate(lines):
        for column, row in _path(one.points, across * 2, down * 4, x, (one.low, one.high)):
            bits[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
            owner[row // 4][column // 2] = index
    return [
        [(chr(0x2800 + bits[r][c]) if bits[r][c] else " ", owner[r][c]) for c in range(across)] for r in range(down)
    ]


def _letters(lines: Sequence[Curve], across: int, down: int, x: tuple[int, int]) -> list[list[tuple[str, int]]]:
    cells = [[(" ", 0)] * across for _ in range(down)]
    for index, one in enumerate(lines):
        for column, row in _path(one.points, across, down, x, (one.low, one.high)):
            cells[row][column] = (_LETTERS[index % len(_LETTERS)], index)
    return cells
