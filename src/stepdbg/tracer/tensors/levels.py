"""A slice of a tensor as 16 levels, pooled to as many pixels as a screen has room for.

A pixel that stands for several elements shows their extreme, the one farthest from 0, or their mean: the first lets a
single exploding weight be seen, the second what is under the noise. Of a very large slice only some elements of each
block are looked at.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from stepdbg.protocol.messages import Pool, Statistics
from stepdbg.tracer.tensors.readable import real
from stepdbg.tracer.tensors.window import difference

LEVELS = 16
NAN, INFINITY, MINUS_INFINITY = 16, 17, 18
_MOST = 1 << 20
"""The number of elements of a slice that are looked at."""
_MOST_SCATTERED = 1 << 18
"""The number of elements where not whole rows are looked at, but elements here and there."""
_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)
"""The ends of a scale are such numbers times a power of ten."""


class Scale(NamedTuple):
    """What the levels stand for."""

    low: float
    high: float
    diverging: bool


class Blocks(NamedTuple):
    """How a slice is divided into pixels."""

    rows: int
    """The number of pixels downwards."""
    columns: int
    """The number of pixels across."""
    high: int
    """The number of elements of the slice that a pixel stands for, downwards."""
    wide: int
    """The number of elements of the slice that a pixel stands for, across."""


class Levels(NamedTuple):
    """The pixels of a slice."""

    levels: bytes
    scale: Scale
    sampled: bool


def blocks(rows: int, columns: int, most_rows: int, most_columns: int) -> Blocks:
    """Blocks of equal size (the last ones may be smaller), as small as they can be for so many pixels."""
    high = max(1, math.ceil(rows / max(1, most_rows)))
    wide = max(1, math.ceil(columns / max(1, most_columns)))
    return Blocks(math.ceil(rows / high), math.ceil(columns / wide), high, wide)


def levels(
    part: torch.Tensor,
    divided: Blocks,
    known: Statistics | None,
    pool: Pool = "extreme",
    less: torch.Tensor | None = None,
) -> Levels:
    """The pixels of a readable slice.

    Args:
        part: Two dimensions.
        divided: The pixels.
        known: Figures of the whole tensor, for the scale; those of the slice serve where they are not finite.
        pool: What a pixel shows of its block.
        less: A slice that is subtracted.
    """
    pixels, sampled = _pooled(part, divided, pool, less)
    averaged = pool == "mean" and (divided.high, divided.wide) != (1, 1)
    scale = _scale(pixels, None if averaged else known)
    span = scale.high - scale.low
    places = ((pixels - scale.low) * (LEVELS / span)).floor().nan_to_num(0.0).clamp(0, LEVELS - 1)
    places = torch.where(torch.isnan(pixels), float(NAN), places)
    places = torch.where(pixels == math.inf, float(INFINITY), places)
    places = torch.where(pixels == -math.inf, float(MINUS_INFINITY), places)
    return Levels(bytes(places.to(torch.uint8).reshape(-1).tolist()), scale, sampled)


def rounded_up(value: float) -> float:
    """The next of `_STEPS` times a power of ten."""
    if value <= 0 or not math.isfinite(value):
        return 0.0
    power = math.floor(math.log10(value))
    unit = math.pow(10.0, power)
    step = next(step for step in _STEPS if value <= step * unit * (1 + 1e-9) or step == 10)
    return float(f"{step * unit:.3g}") or value


def _pooled(
    part: torch.Tensor, divided: Blocks, pool: Pool, less: torch.Tensor | None = None
) -> tuple[torch.Tensor, bool]:
    """The extreme or the mean of each block as float64 on the CPU, and whether elements were passed over."""
    rows, columns = part.shape
    down, across = 1, 1
    while divided.rows * -(-divided.high // down) * divided.columns * -(-divided.wide // across) > (
        _MOST if across == 1 else _MOST_SCATTERED
    ):
        if divided.high // down >= divided.wide // across and down < divided.high:
            down += 1
        elif across < divided.wide:
            across += 1
        else:
            break
    # Rows first, in the tensor's own type, which runs at the speed of memory; what is left then is small.
    tall, broad = -(-divided.high // down), -(-divided.wide // across)
    down_at = across_at = None
    if divided.rows * tall != rows or down > 1:
        down_at = _places(divided.rows, divided.high, down, rows, part.device)
    if divided.columns * broad != columns or across > 1:
        across_at = _places(divided.columns, divided.wide, across, columns, part.device)
    part = _picked(part, down_at, across_at, scattered=across > 1)
    if less is not None:
        part = difference(part, _picked(less, down_at, across_at, scattered=across > 1))
    part = _ordered(real(part))
    sampled = (down, across) != (1, 1)
    blocked = _split(part, 0, divided.rows, tall)
    if pool == "mean":
        means = blocked.mean(1, dtype=torch.float32 if part.device.type == "mps" else torch.float64)
        return _split(means.cpu().to(torch.float64), 1, divided.columns, broad).mean(2), sampled
    bottom, top = (blocked.squeeze(1),) * 2 if tall == 1 else torch.aminmax(blocked, dim=1)
    bottom, top = (_split(found.cpu().to(torch.float64), 1, divided.columns, broad) for found in (bottom, top))
    bottom, top = bottom.amin(2), top.amax(2)
    return torch.where(-bottom > top, bottom, top), sampled


def _picked(
    part: torch.Tensor, down_at: torch.Tensor | None, across_at: torch.Tensor | None, *, scattered: bool
) -> torch.Tensor:
    """The rows and columns that are looked at; where `scattered`, without fetching whole rows."""
    down_at = None if down_at is None else down_at.to(part.device)  # of a copy from before, which may lie on the CPU
    across_at = None if across_at is None else across_at.to(part.device)
    if scattered and across_at is not None:
        if down_at is None:
            return part.index_select(1, across_at)
        return part[down_at.unsqueeze(1), across_at]
    if down_at is not None:
        part = part.index_select(0, down_at)
    return part if across_at is None else part.index_select(1, across_at)


_WITHOUT_ORDER = (torch.uint16, torch.uint32, torch.uint64)
"""Whole numbers that torch finds no smallest of."""


def _ordered(part: torch.Tensor) -> torch.Tensor:
    """The elements in a type that torch can order."""
    if part.dtype in _WITHOUT_ORDER:
        return part.to(torch.float64)
    return part.to(torch.float32) if part.is_floating_point() and part.element_size() == 1 else part


def _split(tensor: torch.Tensor, dim: int, number: int, size: int) -> torch.Tensor:
    """A view in which a dimension is that many blocks of that size."""
    found: torch.Tensor = tensor.unflatten(dim, (number, size))  # type: ignore[no-untyped-call]
    return found


def _places(number: int, size: int, step: int, length: int, device: torch.device) -> torch.Tensor:
    """The indices of the elements that are looked at along one dimension; a smaller last block has some of its own
    twice, evenly.
    """
    starts = torch.arange(0, number, dtype=torch.int64, device=device).mul(size).reshape(-1, 1)
    within = torch.arange(0, size, step, dtype=torch.int64, device=device).reshape(1, -1)
    sizes = (length - starts).clamp(max=size)
    return (starts + (within * sizes).div(size, rounding_mode="floor")).reshape(-1)


def _scale(pixels: torch.Tensor, known: Statistics | None) -> Scale:
    low, high = (known.min, known.max) if known is not None else (None, None)
    if low is None or high is None or not (math.isfinite(low) and math.isfinite(high)):
        finite = pixels[torch.isfinite(pixels)]
        low, high = (float(finite.min()), float(finite.max())) if finite.numel() else (0.0, 0.0)
    if low < 0 < high:
        end = rounded_up(max(-low, high))
        return Scale(-end, end, True)
    if low == high == 0:
        return Scale(0.0, 1.0, False)
    if low > high / 2 and low != high:  # far from 0: a scale that began there would show one colour
        step = rounded_up(high - low) / 10
        return Scale(math.floor(low / step) * step, math.ceil(high / step) * step, False)
    if low >= 0:
        return Scale(0.0, rounded_up(high), False)
    return Scale(-rounded_up(-low), 0.0, False)
