"""Panel 5: each loss over the updates, as a chart with axes.

Braille cells hold 2×4 dots, so a chart of 60×10 cells shows 120×40 points. Under `--ascii` a point is an asterisk, and
every further loss has a letter of its own.
"""

from __future__ import annotations

import math

from stepdbg.tui.losses import Point, Series
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views.lines import Drawing, Frame, Glyphs, Line, Span, lesson, plain, right
from stepdbg.tui.views.numbers import count, figure

GUTTER = 9
"""Cells of the vertical axis with its figures."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_LETTERS = "*abcdefgh"


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel."""
    series = [one for one in snapshot.losses if one.points]
    if not series:
        words = "No loss yet. It is the tensor that backward is called on; the chart grows while training runs."
        return Drawing(title=(Span("no loss yet", "dim"),), body=lesson(words, frame))
    return Drawing(_title(series, frame.glyphs), (), tuple(chart(series, frame.width, frame.height, frame.glyphs)))


def _title(series: list[Series], glyphs: Glyphs) -> Line:
    spans: list[Span] = []
    for index, one in enumerate(series):
        sign = (glyphs.rule * 2) if glyphs.braille else _LETTERS[index % len(_LETTERS)]
        spans.append(Span(f"{sign} ", f"chart.{index % 4}"))
        spans.append(Span(f"{plain(one.name)} {figure(one.points[-1].value)}  "))
        lowest = min((point.value for point in one.points if math.isfinite(point.value)), default=None)
        if lowest is not None and len(series) == 1:
            spans.append(Span(f"lowest {figure(lowest)}  ", "dim"))
    broken = sum(not math.isfinite(point.value) for one in series for point in one.points)
    if broken:
        spans.append(Span(f"{broken} not finite", "error"))
    return tuple(spans)


def chart(series: list[Series], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The chart in exactly `height` lines, with a vertical axis, and a horizontal one in the last two."""
    across, down = max(2, width - GUTTER - 2), max(1, height - 2)
    finite = [point for one in series for point in one.points if math.isfinite(point.value)]
    if not finite or height < 3:
        broken: Line = (Span(" every value is nan or infinite", "error"),)
        return [broken][:height]
    low, high = min(point.value for point in finite), max(point.value for point in finite)
    if high == low:
        low, high = low - (abs(low) or 1) * 0.5, high + (abs(high) or 1) * 0.5
    first = min(one.points[0].update for one in series)
    last = max(max(one.points[-1].update for one in series), first + 1)
    cells = _braille(series, across, down, (first, last), (low, high)) if glyphs.braille else None
    if cells is None:
        cells = _letters(series, across, down, (first, last), (low, high))
    labels = {0: high, down - 1: low}
    if down >= 5:
        labels[(down - 1) // 2] = high - (high - low) * ((down - 1) // 2) / max(1, down - 1)
    lines: list[Line] = []
    for y in range(down):
        words = right(figure(labels[y]), GUTTER - 1) if y in labels else " " * (GUTTER - 1)
        axis = glyphs.tick if y in labels else glyphs.column
        lines.append((Span(words, "dim"), Span(axis, "faint"), *_runs(cells[y])))
    lines.append((Span(" " * (GUTTER - 1) + glyphs.corner + glyphs.rule * across, "faint"),))
    lines.append(_scale(first, last, across))
    return lines[:height]


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


def _braille(
    series: list[Series], across: int, down: int, x: tuple[int, int], y: tuple[float, float]
) -> list[list[tuple[str, int]]]:
    bits = [[0] * across for _ in range(down)]
    owner = [[0] * across for _ in range(down)]
    for index, one in enumerate(series):
        for column, row in _path(one.points, across * 2, down * 4, x, y):
            bits[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
            owner[row // 4][column // 2] = index
    return [
        [(chr(0x2800 + bits[r][c]) if bits[r][c] else " ", owner[r][c]) for c in range(across)] for r in range(down)
    ]


def _letters(
    series: list[Series], across: int, down: int, x: tuple[int, int], y: tuple[float, float]
) -> list[list[tuple[str, int]]]:
    cells = [[(" ", 0)] * across for _ in range(down)]
    for index, one in enumerate(series):
        for column, row in _path(one.points, across, down, x, y):
            cells[row][column] = (_LETTERS[index % len(_LETTERS)], index)
    return cells
