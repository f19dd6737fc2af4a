"""The difference of a tensor and its copy from before: as a whole in figures, and of any part that is in view.

It is never made whole: parts of both are cut out alike, and subtracted.
"""

from __future__ import annotations

from typing import NamedTuple

import torch

from stepdbg.protocol.messages import Histogram, Statistics
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.chunks import pieces, some_pieces
from stepdbg.tracer.tensors.moments import working_type
from stepdbg.tracer.tensors.readable import real
from stepdbg.tracer.tensors.statistics import WHOLE, Summing

_PIECE = 1 << 19
"""Elements that are subtracted at a time: on a CPU they stay in its cache."""
_PIECE_ON_DEVICE = 1 << 22
_BEYOND_FLOAT64 = (torch.int64, torch.uint64)
"""Types with numbers that float64 takes for the same."""
_SAMPLE = 1 << 20
"""Elements that a histogram counts."""


class Moved(NamedTuple):
    """What a change comes to."""

    statistics: Statistics
    """The statistics of new minus old; of complex numbers, of its absolute value."""
    changed: int
    """Elements that are others than before."""


def moved(new: torch.Tensor, old: torch.Tensor) -> Moved:
    """The figures of a change; of a very large tensor those of a part, as its statistics say."""
    size = _PIECE if new.device.type == "cpu" else _PIECE_ON_DEVICE
    every = 1 if new.numel() <= WHOLE else new.numel() // size // 64
    summing = Summing(working_type(new), size, new.device)
    changed = 0
    for part, before in zip(_some(new, size, every), _some(old, size, every), strict=True):
        apart = tensors.difference(part, before)
        summing.add(apart)
        others = torch.count_nonzero(part != before if part.dtype in _BEYOND_FLOAT64 else apart)
        here, finite = torch.stack([others, torch.isfinite(apart.sum()).to(others.dtype)]).tolist()
        if here and not finite:  # NaN and infinities, which differ from themselves there
            ours, theirs = real(part).to(torch.float64), real(before).to(torch.float64)
            here = int(((ours != theirs) & ~(torch.isnan(ours) & torch.isnan(theirs))).sum())
        changed += here
    return Moved(summing.as_statistics(0 if every == 1 else summing.seen), changed)


def _some(tensor: torch.Tensor, size: int, every: int) -> list[torch.Tensor]:
    return list(pieces(tensor, size) if every == 1 else some_pieces(tensor, size, every))


def histogram(new: torch.Tensor, old: torch.Tensor, bins: int) -> Histogram | None:
    """The histogram of new minus old."""
    if new.numel() <= _SAMPLE:
        return tensors.histogram(tensors.difference(new, old), bins)
    every = max(1, new.numel() // _PIECE // 64)
    step = max(1, new.numel() // every // _SAMPLE)
    parts = zip(_some(new, _PIECE, every), _some(old, _PIECE, every), strict=True)
    sample = torch.cat(
        [tensors.difference(part.reshape(-1)[::step], before.reshape(-1)[::step]) for part, before in parts]
    )
    found = tensors.histogram(sample, bins)
    return found and Histogram(found.low, found.high, found.counts, sampled=True)
