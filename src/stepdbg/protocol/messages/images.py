"""Tensors as heat maps, and batches as pictures."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Remembered, Result
from stepdbg.protocol.messages.tensors import Side

Pool = Literal["extreme", "mean", "element"]
"""What a pixel that stands for several elements shows: the one farthest from 0, or their mean. Or it is one element,
and a part of the slice is shown, around the cursor."""


class LookAtMaps(Remembered, frozen=True):
    """Heat maps of one slice of several tensors of the same shape. Answer: `HeatMaps`.

    A slice is what is left when all but the last two dimensions are fixed; a vector is a slice of one row. It is
    pooled in the rank to at most `rows` × `columns` pixels, so that no more is sent than is seen.
    """

    objects: tuple[str, ...]
    slice: tuple[int, ...] = ()
    """The indices of the dimensions that are fixed."""
    tiles: int = 1
    """The number of slices that are sent, unpooled: those of the page that the slice is on, pages being of that
    length."""
    rows: int = 16
    columns: int = 64
    row: int = 0
    """The row of the element under the cursor, in the slice."""
    column: int = 0
    pool: Pool = "extreme"
    side: Side = "now"
    where: str = ""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return self.objects


class HeatMap(Part, frozen=True):
    """One tensor's slice as levels, row by row; of several slices one after the other."""

    object: str
    rows: int
    """Pixels of a slice."""
    columns: int
    levels: bytes
    """0 to 15 from `low` to `high`; 16 is NaN, 17 infinity, 18 minus infinity."""
    low: float
    high: float
    """The scale's ends, rounded outwards so that it seldom moves: of the whole tensor, or of the means in the slice."""
    diverging: bool = False
    """True where the scale lies around 0: levels 7 and 8 meet there."""
    here: float | None = None
    """The element under the cursor."""
    sampled: bool = False
    """True where only every n-th element of a pixel's block was looked at."""


class HeatMaps(Result, frozen=True):
    """Answer to `LookAtMaps`; what is gone, has no numbers or another shape is left out."""

    slice: tuple[int, ...]
    total_rows: int
    """The height of the slice, in elements."""
    total_columns: int
    block_rows: int
    """Elements that a pixel stands for, downwards."""
    block_columns: int
    maps: tuple[HeatMap, ...] = ()
    first: int = 0
    """The number of the first slice in row-major order, where several are sent."""
    tiles: int = 1
    """The number of slices that are sent."""
    side: Side = "now"
    top: int = 0
    """The first row of the slice that is shown."""
    left: int = 0


class LookAtPictures(Remembered, frozen=True):
    """Images of a batch, made smaller where they have to be. Answer: `Pictures`.

    The tensor is read as images of `channels` × `height` × `width`, whatever its own dimensions are.
    """

    object: str
    channels: int
    height: int
    width: int
    first: int
    count: int
    rows: int
    """Pixels that each picture is averaged down to; it is never made larger."""
    columns: int

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return (self.object,)


class Pictures(Result, frozen=True):
    """Answer to `LookAtPictures`."""

    object: str
    first: int
    count: int
    channels: int
    """1 (grey) or 3 (red, green, blue)."""
    rows: int
    """Pixels of each picture."""
    columns: int
    levels: bytes
    """0 to 15 for each pixel of each channel of each picture, in that order; 16 where it is not finite."""
    low: float
    high: float
    """What levels 0 and 15 stand for."""
    labels: tuple[str, ...] = ()
    """The label of each picture; empty where the batch holds none."""
    labels_of: str = ""
    """The name of the tensor that the labels are from: `y`."""
