"""Heat maps of the parts of a tensor, side by side under one cursor: value, gradient, optimizer state."""

from __future__ import annotations

import math
from typing import NamedTuple

from stepdbg.protocol.messages import HeatMap, HeatMaps, TensorPart, TensorView
from stepdbg.tui.drawing.lines import Glyphs, Line, Span, cropped, plain, whole, width_of
from stepdbg.tui.drawing.numbers import figure, shape
from stepdbg.tui.drawing.shades import Grid, enlarged, legend, shaded
from stepdbg.tui.panels.tensor.targets import CellTarget, PartTarget

NARROWEST = 25
"""Cells that a map needs for its legend."""
OVERHEAD = 3
"""Lines beside the pixels: the name with the value under the cursor, the scale, what a pixel stands for."""
LARGEST = 6
"""Cells across that one element takes at most."""
THREAD = 4
"""The ratio of rows to columns from which on a map would be a thread."""
WIDEST, HIGHEST = 96, 64
"""Pixels of one map at most, for the bytes that they cost over a slow link."""
TILE = 16
"""Rows and columns up to which slices are shown as tiles: the kernels of a convolution."""
_MANY = 16
"""The number of tiles that are to be seen at once before each is made larger."""


class Plan(NamedTuple):
    """How maps are laid out in a place: what to ask for, and how large to draw it."""

    parts: tuple[TensorPart, ...]
    """The parts that have a map, left to right."""
    width: int
    """Cells for each."""
    rows: int
    """Pixels of each, as asked for."""
    columns: int
    wide: int
    """Cells that a pixel takes."""
    high: int
    """Rows of pixels (half lines, or lines without half blocks) that it takes."""
    lines: int
    """The height in lines, with everything around the pixels."""
    across: int = 1
    """Slices side by side, where they are so small that several are shown as tiles."""
    down: int = 1

    @property
    def tiles(self) -> int:
        """Slices of each part in view."""
        return self.across * self.down


def plan(view: TensorView, part: str, width: int, height: int, glyphs: Glyphs) -> Plan:
    """As many maps as there is room for, the shown part among them; each as large as fits."""
    rows, columns = size_of(view.shape)
    alike = tuple(one for one in parts_of(view) if one.shape == view.shape)
    number = max(1, min(len(alike), (width + 1) // NARROWEST))
    place = next((index for index, one in enumerate(alike) if one.label == part), 0)
    start = max(0, place - number + 1)
    each = max(4, (width - 1 - 2 * (number - 1)) // number)
    room = max(1, height - OVERHEAD) * (2 if glyphs.half_blocks else 1)
    found = Plan(alike[start : start + number], each, rows, columns, 1, 1, 0)
    number_of_slices = slices(view.shape)
    if number_of_slices > 1 and rows <= min(TILE, room) and columns <= min(TILE, each):
        return _tiled(found, number_of_slices, room, glyphs)
    down, across = _pixels(rows, min(room, HIGHEST)), _pixels(columns, min(each, WIDEST))
    wide = max(1, min(each // across, LARGEST, room // down if glyphs.half_blocks else 2 * (room // down)))
    if glyphs.half_blocks:
        high = min(4, room) if rows == 1 else wide
    else:
        high = max(1, wide // 2)
    # Many rows of few columns would be a thread: their pixels are drawn wider than high.
    if down >= THREAD * across:
        wide = max(wide, min(LARGEST, each // (2 * across)))
    return _sized(found._replace(rows=down, columns=across, wide=wide, high=high), glyphs)


def _tiled(found: Plan, number: int, room: int, glyphs: Glyphs) -> Plan:
    """The largest tiles of which many fit."""
    best = found
    for wide in (4, 3, 2, 1):
        high = wide if glyphs.half_blocks else max(1, wide // 2)
        across = (found.width + 1) // (found.columns * wide + 1)
        down = (room + 1) // (found.rows * high + 1)
        best = found._replace(wide=wide, high=high, across=max(1, min(across, number)), down=max(1, down))
        if across and down and best.tiles >= min(number, _MANY):
            break
    rows_needed = -(-number // best.across)
    return _sized(best._replace(down=min(best.down, rows_needed)), glyphs)


def _sized(found: Plan, glyphs: Glyphs) -> Plan:
    """The plan with the width and the lines that its pixels take."""
    high, wide = found.down * (found.rows * found.high + 1) - 1, found.across * (found.columns * found.wide + 1) - 1
    lines = math.ceil(high / (2 if glyphs.half_blocks else 1)) + OVERHEAD
    return found._replace(width=min(found.width, max(NARROWEST - 2, wide)), lines=lines)


def parts_of(view: TensorView) -> tuple[TensorPart, ...]:
    """The parts of a tensor; a gradient that is not there keeps its place, so that nothing moves when it comes."""
    if view.kind != "parameter" or not view.requires_grad or any(one.label == "grad" for one in view.parts):
        return view.parts
    return (*view.parts[:1], TensorPart("grad", f"{view.object}.grad", None, view.shape), *view.parts[1:])


def size_of(sizes: tuple[int, ...]) -> tuple[int, int]:
    """Rows and columns of a slice."""
    return (sizes[-2] if len(sizes) > 1 else 1), (sizes[-1] if sizes else 1)


def slices(sizes: tuple[int, ...]) -> int:
    """How many slices there are."""
    return math.prod(sizes[:-2])


def slice_at(sizes: tuple[int, ...], row: int) -> tuple[tuple[int, ...], int]:
    """The slice that a row of the table is in, and its row there."""
    number, inside = divmod(row, max(1, size_of(sizes)[0]))
    index = []
    for size in reversed(sizes[:-2]):
        number, place = divmod(number, max(1, size))
        index.append(place)
    return tuple(reversed(index)), inside


def draw(
    maps: HeatMaps, planned: Plan, view: TensorView, part: str, row: int, column: int, width: int, glyphs: Glyphs,
    pool: str = "extreme",
) -> list[Line]:  # fmt: skip
    """The maps.

    Args:
        maps: What was answered.
        planned: How it is laid out.
        view: The tensor.
        part: The label of the part that is shown.
        row: Of the cell under the cursor, in the table of all rows.
        column: Its column.
        width: Cells of the panel.
        glyphs: What the terminal can draw.
        pool: What a pixel shows of its block.
    """
    index, inside = slice_at(view.shape, row)
    known = {one.object: one for one in maps.maps}
    columns: list[list[Line]] = []
    for each in planned.parts:
        found = known.get(each.object)
        if found is None:
            columns.append([(Span(f"{each.label}: none", "dim"),)])
            continue
        chosen = each.label == part
        first = row - inside
        columns.append(_map(found, maps, planned, each.label, chosen, (first, inside, column), glyphs))
    lines = [_beside([one[y] if y < len(one) else () for one in columns], planned.width) for y in range(planned.lines)]
    caption = _caption(maps, index, view.shape, glyphs, pool)
    return [*(cropped(line, width) for line in lines[:-1]), whole(caption, width)]


def _map(
    found: HeatMap,
    maps: HeatMaps,
    planned: Plan,
    label: str,
    chosen: bool,
    cursor: tuple[int, int, int],
    glyphs: Glyphs,
) -> list[Line]:
    first, inside, column = cursor
    scale = "d" if found.diverging else "s"
    odd = {16: "nan", 17: "inf", 18: "-inf"}
    area = found.rows * found.columns
    if not area:  # a tensor of no elements
        return []
    tiles = [
        [
            [odd.get(level) or f"{scale}{level}" for level in found.levels[start + y : start + y + found.columns]]
            for y in range(0, area, found.columns)
        ]
        for start in range(0, len(found.levels), area)
    ]
    high, wide = found.rows * planned.high + 1, found.columns * planned.wide + 1
    here = first // maps.total_rows - maps.first if maps.tiles > 1 else 0
    grid: Grid = []
    for start in range(0, len(tiles), planned.across):
        row = [enlarged(tile, planned.wide, planned.high) for tile in tiles[start : start + planned.across]]
        if start <= here < start + planned.across:
            mark = (inside - maps.top) // maps.block_rows, (column - maps.left) // maps.block_columns
            _mark(row[here - start], *mark, planned, glyphs)
        if grid:
            grid.append([""] * len(grid[0]))
        joined = [[tone for tile in row for tone in (*tile[y], "")][:-1] for y in range(high - 1)]
        grid += [line + [""] * (len(grid[0]) - len(line)) if grid else line for line in joined]

    def target(y: int, x: int) -> CellTarget | None:
        (tile_y, y), (tile_x, x) = divmod(y, high), divmod(x, wide)
        tile = tile_y * planned.across + tile_x
        if y == high - 1 or x == wide - 1 or tile >= len(tiles):
            return None
        down = min(maps.total_rows - 1, maps.top + y // planned.high * maps.block_rows)
        across = min(maps.total_columns - 1, maps.left + x // planned.wide * maps.block_columns)
        start = (maps.first + tile) * maps.total_rows if maps.tiles > 1 else first
        return CellTarget(start + down, across)

    name = Span(plain(label), "accent" if chosen else "strong", PartTarget(label))
    value = Span(f" {figure(found.here)}", "number")
    ends = (Span(f"{figure(found.low)} ", "dim"), *legend(scale, glyphs), Span(f" {figure(found.high)}", "dim"))
    return [(name, value), *shaded(grid, glyphs, target), ends]


def _mark(grid: Grid, row: int, column: int, planned: Plan, glyphs: Glyphs) -> None:
    """Put the cursor on a pixel: all of it, or its middle where it is large."""
    edge_x, edge_y = (planned.wide - 1) // 2, (planned.high - 1) // 2
    for y in range(row * planned.high + edge_y, (row + 1) * planned.high - edge_y):
        for x in range(column * planned.wide + edge_x, (column + 1) * planned.wide - edge_x):
            if 0 <= y < len(grid) and 0 <= x < len(grid[y]):
                grid[y][x] = "here" if glyphs.half_blocks else f"here{grid[y][x]}"


def _beside(lines: list[Line], width: int) -> Line:
    spans: list[Span] = []
    for number, line in enumerate(lines):
        short = cropped(line, width)
        gap = width - width_of(short) + 2 if number + 1 < len(lines) else 0
        spans += [Span(" " if number == 0 else "", ""), *short, Span(" " * gap, "")]
    return tuple(span for span in spans if span.text)


def _caption(maps: HeatMaps, index: tuple[int, ...], sizes: tuple[int, ...], glyphs: Glyphs, pool: str) -> Line:
    """What a pixel stands for, which slice it is, what the signs mean."""
    pieces = []
    if (maps.block_rows, maps.block_columns) != (1, 1):
        block = shape((maps.block_rows, maps.block_columns), glyphs.times)
        pieces.append(f"a pixel: {pool} of {block}")
    if maps.maps and maps.tiles == 1 and pool == "element":
        last_row, last_column = maps.top + maps.maps[0].rows - 1, maps.left + maps.maps[0].columns - 1
        pieces.append(
            f"a pixel: an element; rows {maps.top}-{last_row} of {maps.total_rows}, "
            f"columns {maps.left}-{last_column} of {maps.total_columns}"
        )
    if len(sizes) > 2:
        places = ", ".join(map(str, index))
        last = maps.first + maps.tiles - 1
        if maps.tiles > 1:
            pieces.append(f"slices {maps.first}-{last} of {slices(sizes)}")
        pieces.append(f"slice [{places}] of {shape(sizes[:-2], glyphs.times)}")
    levels = b"".join(one.levels for one in maps.maps)
    pieces += [words for level, words in ((16, "! nan"), (17, "^ inf"), (18, "v -inf")) if level in levels]
    if any(one.sampled for one in maps.maps):
        pieces.append("sampled")
    return tuple(Span(f"{'  ' if number else ' '}{words}", "dim") for number, words in enumerate(pieces))


def _pixels(length: int, room: int) -> int:
    """Pixels that a length of elements takes in that room, by blocks of equal size."""
    return max(1, math.ceil(length / max(1, math.ceil(length / max(1, room)))))
