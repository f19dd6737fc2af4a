"""What of a recorded tensor is on a screen: a slice, a window, a histogram, heat maps, the next element of a kind."""

from __future__ import annotations

import itertools
import math
import operator
import struct
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from stepdbg.protocol import slices
from stepdbg.protocol.messages import (
    Condition,
    Find,
    Found,
    HeatMap,
    HeatMaps,
    Histogram,
    LookAt,
    LookAtMaps,
    Side,
    TensorView,
    Window,
)


class Numbers(NamedTuple):
    """The elements of a tensor, or of a slice of one, in row-major order."""

    shape: tuple[int, ...]
    values: Sequence[float]

    def sliced(self, words: str) -> Numbers:
        """The slice that these words name.

        Raises:
            SliceError: it does not fit the shape.
        """
        if not words:
            return self
        places = slices.read(words, self.shape)
        ranges = [[one] if isinstance(one, int) else range(one.start, one.stop, one.step) for one in places]
        strides = [math.prod(self.shape[dim + 1 :]) for dim in range(len(self.shape))]
        chosen = [self.values[sum(map(operator.mul, index, strides))] for index in itertools.product(*ranges)]
        shape = tuple(len(each) for each, one in zip(ranges, places, strict=True) if isinstance(one, slice))
        return Numbers(shape, chosen)


def numbers_of(view: TensorView) -> Numbers:
    """The elements of a tensor that was recorded whole."""
    window = view.window
    assert window is not None, f"{view.object} was recorded with its numbers"
    assert window.rows == window.total_rows, f"{view.object} was recorded whole"
    count = window.rows * window.columns
    return Numbers(view.shape, struct.unpack(f"<{count}{window.format}", window.values))


def part_of(view: TensorView, query: LookAt) -> TensorView:
    """What is asked for of a tensor that was recorded whole; a slice has no statistics, since none were recorded."""
    numbers = numbers_of(view).sliced(query.where)
    known = query.statistics and not query.where
    return replace(
        view,
        shape=numbers.shape,
        parts=tuple(
            replace(
                part,
                shape=numbers.shape if part.shape == view.shape else part.shape,
                statistics=part.statistics if query.statistics else None,
                change=part.change if query.statistics else None,
            )
            for part in view.parts
        ),
        statistics=view.statistics if known else None,
        histogram=_histogram(numbers.values, query.bins) if query.bins else None,
        window=window_of(view, numbers, query) if query.rows and query.columns else None,
        where=query.where,
        whole=view.shape if query.where else (),
    )


def window_of(view: TensorView, numbers: Numbers, query: LookAt) -> Window:
    """The rows and columns that are asked for, clipped to what there is."""
    assert view.window is not None
    across = numbers.shape[-1] if numbers.shape else 1
    down = len(numbers.values) // across if across else 0
    row, column = max(0, min(query.row, down - 1)), max(0, min(query.column, across - 1))
    rows, columns = min(query.rows, down - row), min(query.columns, across - column)
    shown = [numbers.values[r * across + c] for r in range(row, row + rows) for c in range(column, column + columns)]
    raw = struct.pack(f"<{len(shown)}{view.window.format}", *shown)
    return Window(row, column, rows, columns, down, across, view.window.format, raw)


def _histogram(values: Sequence[float], bins: int) -> Histogram | None:
    finite = [value for value in values if math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    counts = [0] * bins
    for value in finite:
        counts[min(bins - 1, int((value - low) / (high - low) * bins)) if high > low else 0] += 1
    return Histogram(low, high, tuple(counts))


def found_in(numbers: Numbers, query: Find) -> Found:
    """The next element for which the condition holds."""
    order = range(query.start, -1, -1) if query.backwards else range(query.start, len(numbers.values))
    return Found(next((place for place in order if _holds(query.condition, numbers.values[place])), None))


def _holds(condition: Condition, number: float) -> bool:
    if condition.odd:
        return not math.isfinite(number)
    low = -math.inf if condition.low is None else condition.low
    high = math.inf if condition.high is None else condition.high
    return (not low <= number <= high and not math.isnan(number)) if condition.outside else low <= number <= high


def maps_of(query: LookAtMaps, recorded: Callable[[str, Side], tuple[HeatMaps, Numbers] | None]) -> HeatMaps | None:
    """The maps that are asked for, put together of those that were recorded for one tensor each, a pixel an element.

    Where there is not room for all, a pixel shows the first element of its block.
    """
    found = [one for name in query.objects if (one := recorded(name, query.side)) is not None]
    made = [_shrunk(query, whole, numbers) for whole, numbers in found]
    same = [one for one in made if (one.total_rows, one.total_columns) == (made[0].total_rows, made[0].total_columns)]
    return replace(same[0], maps=tuple(one.maps[0] for one in same)) if same else None


def _shrunk(query: LookAtMaps, whole: HeatMaps, numbers: Numbers) -> HeatMaps:
    (one,) = whole.maps
    flat = Numbers((whole.total_rows, whole.total_columns)[2 - len(numbers.shape[-2:]) :], one.levels).sliced(
        query.where
    )
    rows, columns = (1, 1, *flat.shape)[-2:]
    high, wide = -(-rows // max(1, query.rows)), -(-columns // max(1, query.columns))
    levels = bytes(int(flat.values[r * columns + c]) for r in range(0, rows, high) for c in range(0, columns, wide))
    before = 0
    for index, size in zip(query.slice, numbers.shape, strict=False):
        before = before * size + index
    inside = query.row < rows and query.column < columns
    place = (before * rows + query.row) * columns + query.column
    here = float(numbers.sliced(query.where).values[place]) if inside else None
    shown = HeatMap(one.object, -(-rows // high), -(-columns // wide), levels, one.low, one.high, one.diverging, here)
    return replace(whole, total_rows=rows, total_columns=columns, block_rows=high, block_columns=wide, maps=(shown,))
