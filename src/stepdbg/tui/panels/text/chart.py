"""A chart with axes: curves over the updates, in braille or in letters.

Braille cells hold 2×4 dots, so a chart of 60×10 cells shows 120×40 points. Under `--ascii` a point of the first line is
an asterisk, and every further line has a letter of its own. What is not finite is drawn as such: a `!` at the bottom
for NaN, `^` at the top and `v` at the bottom for the infinities.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from stepdbg.tui.drawing.lines import Glyphs, Line, Span, right
from stepdbg.tui.drawing.numbers import count, figure
from stepdbg.tui.records.losses import Point

GUTTER = 9
"""Cells of the vertical axis with its figures."""
LETTERS = "*abcdefghijklmnopqrstuvwxyz"
"""Under `--ascii` the points of each line."""
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_MARK = -1
"""Stands for the curve that a cell belongs to, where the cell marks what is not finite."""


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
    log: bool = False
    """Whether heights are by the logarithm; what is not above 0 is then not drawn."""

    def drawn(self, value: float) -> bool:
        """Whether a value has a height."""
        return math.isfinite(value) and (value > 0 or not self.log)

    def row(self, value: float, rows: int) -> int:
        """The row of a value, from the top, of so many."""
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log10(low), math.log10(high), math.log10(value)
        return rows - 1 - _place(value, low, high, rows)

    def at(self, row: int, rows: int) -> float:
        """The value at the height of a row."""
        part = row / max(1, rows - 1)
        if self.log:
            return 10 ** (math.log10(self.high) + (math.log10(self.low) - math.log10(self.high)) * part)
        return self.high - (self.high - self.low) * part


def chart(lines: Sequence[Curve], width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """The chart in exactly `height` lines, with a vertical axis, and a horizontal one in the last two."""
    across, down = max(2, width - GUTTER - 2), max(1, height - 2)
    if height < 3 or not any(one.drawn(point.value) for one in lines for point in one.points):
        above = any(math.isfinite(point.value) for one in lines for point in one.points)
        why = "no value is above 0: the axis is logarithmic" if above else "every value is nan or infinite"
        broken: Line = (Span(f" {why}", "error"),)
        return [broken] if height >= 3 else []
    axis_of = lines[0]
    first = min(one.points[0].update for one in lines)
    last = max(max(one.points[-1].update for one in lines), first + 1)
    drawn = _braille if glyphs.braille else _letters
    cells = drawn(lines, across, down, (first, last))
    for column, row, sign in _marks(lines, across, down, (first, last)):
        cells[row][column] = (sign, _MARK)
    labels = {0: axis_of.high, down - 1: axis_of.low}
    if (only := _only_value(lines)) is not None:  # its own figure is on the axis, and no other
        dots = 4 if glyphs.braille else 1
        labels = {axis_of.row(only, down * dots) // dots: only}
    elif down >= 5:
        labels[(down - 1) // 2] = axis_of.at((down - 1) // 2, down)
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
    values = {point.value for one in lines if not one.own for point in one.points if one.drawn(point.value)}
    return values.pop() if len(values) == 1 else None


def _runs(cells: list[tuple[str, int]]) -> list[Span]:
    """Neighbouring cells of one curve as one span."""
    spans: list[Span] = []
    for character, owner in cells:
        role = "error" if owner == _MARK else f"chart.{owner % 4}"
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


def _marks(lines: Sequence[Curve], across: int, down: int, x: tuple[int, int]) -> list[tuple[int, int, str]]:
    """Where what is not finite is marked: column, row and sign."""
    found = []
    for one in lines:
        for update, value in one.points:
            if not math.isfinite(value):
                row, sign = (down - 1, "!") if math.isnan(value) else (0, "^") if value > 0 else (down - 1, "v")
                found.append((_place(update, x[0], x[1], across), row, sign))
    return found


def _path(one: Curve, across: int, down: int, x: tuple[int, int]) -> set[tuple[int, int]]:
    """The dots of a curve: per column the span of its values, joined to the column before it."""
    columns: dict[int, tuple[int, int, int]] = {}
    for update, value in one.points:
        if not one.drawn(value):
            continue
        column = _place(update, x[0], x[1], across)
        row = one.row(value, down)
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
        for column, row in _path(one, across * 2, down * 4, x):
            bits[row // 4][column // 2] |= _DOTS[row % 4][column % 2]
            owner[row // 4][column // 2] = index
    return [
        [(chr(0x2800 + bits[r][c]) if bits[r][c] else " ", owner[r][c]) for c in range(across)] for r in range(down)
    ]


def _letters(lines: Sequence[Curve], across: int, down: int, x: tuple[int, int]) -> list[list[tuple[str, int]]]:
    cells = [[(" ", 0)] * across for _ in range(down)]
    for index, one in enumerate(lines):
        for column, row in _path(one, across, down, x):
            cells[row][column] = (LETTERS[index % len(LETTERS)], index)
    return cells
