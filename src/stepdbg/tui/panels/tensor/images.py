"""The images of a batch as pictures in a strip, each under its number and its label."""

from __future__ import annotations

import math
from typing import NamedTuple

from stepdbg.protocol.messages import Pictures, TensorView
from stepdbg.tui.drawing.lines import Glyphs, Line, Span, cropped, padded, plain, width_of
from stepdbg.tui.drawing.shades import Grid, shaded
from stepdbg.tui.panels.tensor.targets import CellTarget

SMALLEST, LARGEST = 8, 512
"""Height and width of what counts as an image."""
_ENOUGH = 4
"""The number of pictures that are to be seen at once before each is made larger."""
_LEAST = 12
"""Pixels of height below which a digit is not told any more."""
_GAP = 1


class Images(NamedTuple):
    """How a tensor reads as images."""

    number: int
    channels: int
    height: int
    width: int
    rows: int
    """Rows of the tensor's table (all but its last dimension) that an image takes."""


class Strip(NamedTuple):
    """How pictures are laid out in a place."""

    images: Images
    rows: int
    """Pixels of each."""
    columns: int
    across: int
    """Pictures side by side."""
    down: int
    lines: int
    """The height of one picture in lines, without its label."""

    @property
    def number(self) -> int:
        """Pictures in view."""
        return self.across * self.down


def images_in(view: TensorView) -> Images | None:
    """How a tensor reads as images: N×1×H×W, N×3×H×W, N×H×W, H×W, or N×F where F is a square; None otherwise.

    A matrix counts only where it comes with a batch or out of the model: of weights the heat map is the picture.
    """
    sizes = view.shape
    if view.dtype.startswith("complex") or view.dtype == "bool":
        return None
    fit = all(SMALLEST <= size <= LARGEST for size in sizes[-2:])
    if len(sizes) == 4 and sizes[1] in (1, 3) and fit and sizes[0]:
        return Images(sizes[0], sizes[1], sizes[2], sizes[3], sizes[1] * sizes[2])
    if len(sizes) == 3 and fit and sizes[0]:
        return Images(sizes[0], 1, sizes[1], sizes[2], sizes[1])
    if len(sizes) == 2 and sizes[0] and view.kind in ("batch", "output"):
        side = math.isqrt(sizes[1])
        if side * side == sizes[1] and SMALLEST <= side <= LARGEST:
            return Images(sizes[0], 1, side, side, 1)
        if fit:
            return Images(1, 1, sizes[0], sizes[1], sizes[0])
    return None


def at_first_sight(view: TensorView) -> bool:
    """Whether such a tensor is shown as pictures unless the user wants otherwise: a batch that is images for sure."""
    found = images_in(view)
    if found is None or view.kind != "batch" or view.dtype.startswith("int"):
        return False
    return len(view.shape) == 4 or (len(view.shape) == 3 and found.height == found.width) or found.width in (28, 32)


def strip(images: Images, width: int, height: int, glyphs: Glyphs) -> Strip:
    """The largest pictures of which a few fit; where not even small ones do, as many as fit."""
    best: Strip | None = None
    for high in range(images.height, 0, -1):
        if high % 2 and high != images.height:
            continue  # two rows of pixels make a line
        lines = math.ceil(high / 2)
        wide = max(1, round(images.width * high / images.height))
        across, down = (width - 1 + _GAP) // (wide + _GAP), height // (lines + 1)
        if not across or not down:
            continue
        rows = high if glyphs.half_blocks else lines
        found = Strip(images, rows, wide, across, down, lines)
        if best is None or (found.number > best.number and high >= _LEAST):
            best = found
        if best.number >= min(images.number, _ENOUGH) or high <= _LEAST:
            break
    return best or Strip(images, 2 if glyphs.half_blocks else 1, 2, max(1, width // 3), 1, 1)


def draw(found: Pictures, planned: Strip, chosen: int, width: int, glyphs: Glyphs) -> list[Line]:
    """The strip, and under it what it shows.

    Args:
        found: What was answered.
        planned: How it is laid out.
        chosen: The number of the image under the cursor.
        width: Cells of the panel.
        glyphs: What the terminal can draw.
    """
    lines: list[Line] = []
    for start in range(0, min(found.count, planned.number), planned.across):
        places = range(start, min(start + planned.across, found.count))
        lines.append(cropped(_labels(found, planned, places, chosen, glyphs), width))
        bodies = [_picture(found, planned, place, glyphs) for place in places]
        for y in range(planned.lines):
            spans: list[Span] = [Span(" ")]
            for body in bodies:
                spans += [*(body[y] if y < len(body) else ()), Span(" " * _GAP)]
            lines.append(cropped(tuple(spans), width))
    return lines


def _labels(found: Pictures, planned: Strip, places: range, chosen: int, glyphs: Glyphs) -> Line:
    spans: list[Span] = [Span(" ")]
    for place in places:
        number = found.first + place
        here = number == chosen
        room = planned.columns + _GAP
        target = _target(planned.images, number)
        words: Line = (Span(f"{glyphs.cursor if here else ''}{number} ", "accent" if here else "dim", target),)
        if place < len(found.labels):
            name = f"{plain(found.labels_of)}=" if planned.columns >= 14 else ""
            words = (*words, Span(name, "dim", target), Span(plain(found.labels[place]), "strong", target))
        short = cropped(words, room - 1)
        spans += [*short, Span(padded("", room - width_of(short)))]
    return tuple(spans)


def _picture(found: Pictures, planned: Strip, place: int, glyphs: Glyphs) -> list[Line]:
    area = found.rows * found.columns
    start = place * found.channels * area
    planes = [found.levels[start + channel * area : start + (channel + 1) * area] for channel in range(found.channels)]
    grid: Grid = [[_tone(planes, y * found.columns + x) for x in range(found.columns)] for y in range(found.rows)]
    target = _target(planned.images, found.first + place)
    return shaded(grid, glyphs, lambda y, x: target)


def _tone(planes: list[bytes], place: int) -> str:
    levels = [plane[place] for plane in planes]
    if max(levels) > 15:
        return "nan"
    if len(levels) == 1:
        return f"g{levels[0]}"
    red, green, blue = levels
    return f"g{red}" if red == green == blue else f"#{red:x}{green:x}{blue:x}"


def _target(images: Images, number: int) -> CellTarget:
    return CellTarget(number * images.rows, 0)
