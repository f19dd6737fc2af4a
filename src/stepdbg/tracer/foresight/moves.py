"""What the parts of a step's move add up to, over the pieces that it is worked out in."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from stepdbg.protocol import messages as m

PIECE = 1 << 15
"""Elements that are computed at a time: a quarter of a megabyte in double precision, which stays in a CPU's cache."""
PIECE_ON_DEVICE = 1 << 18
"""The number of elements of a piece on a device, whose kernels have more to do at a time."""


def piece_on(device: torch.device) -> int:
    """Elements that are computed at a time: few enough for a CPU's cache, or many enough for a device's kernels."""
    return PIECE if device.type == "cpu" else PIECE_ON_DEVICE


@dataclass(slots=True)
class Sums:
    """Sums over the pieces: of each part's squares, and of its products with the total."""

    squares: dict[m.Source, float] = field(default_factory=dict)
    products: dict[m.Source, float] = field(default_factory=dict)
    value: float = 0.0
    without: float = 0.0
    """The sum of the squares of what would move without clipping."""
    largest: float = 0.0

    def add(self, value: torch.Tensor, parts: Mapping[m.Source, torch.Tensor], total: torch.Tensor) -> None:
        """Add another piece."""
        if not total.numel():
            return
        each: list[tuple[m.Source, torch.Tensor]] = [*parts.items(), ("total", total)]
        asked = [value.dot(value), total.abs().max()]
        for _, part in each:
            asked += [part.dot(part), part.dot(total)]
        if (clipping := parts.get("clipping")) is not None:
            without = total - clipping
            asked.append(without.dot(without))
        size, largest, *found = torch.stack(asked).tolist()  # a device is asked once
        self.value += size
        self.largest = max(self.largest, largest)
        for (source, _), square, product in zip(each, found[::2], found[1::2], strict=False):
            self.squares[source] = self.squares.get(source, 0.0) + square
            self.products[source] = self.products.get(source, 0.0) + product
        if clipping is not None:
            self.without += found[-1]

    def move(self, source: m.Source) -> m.Move:
        """The figures of one part."""
        norm, whole = math.sqrt(self.squares.get(source, 0.0)), self.squares.get("total", 0.0)
        product = self.products.get(source, 0.0)
        share = product / whole if whole > 0 else None
        cosine = max(-1.0, min(1.0, product / (norm * math.sqrt(whole)))) if norm > 0 and whole > 0 else None
        return m.Move(source, norm, share, cosine)
