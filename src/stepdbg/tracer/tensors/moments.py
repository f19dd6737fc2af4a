"""Moments, extremes and counts of a tensor's elements, added up group after group.

- `aminmax` tells whether anything is not finite; only such a group is looked at carefully, in float64.
- The spread comes from sum and norm, which cancel where the mean is large against it: then the caller has everything
  shifted, by about the mean. Groups are put together by the rule of Chan, Golub and LeVeque (1979), in float64.
- Zeros are counted only in groups that have some on either side of 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from stepdbg.protocol.messages import Statistics
from stepdbg.tracer.tensors.chunks import pieces
from stepdbg.tracer.tensors.readable import real

_ROW = 1 << 14
"""Elements that are summed in the tensor's own precision."""
_CAREFUL = 1 << 17
"""Elements that are looked at in float64 at a time."""
_CAREFUL_ON_DEVICE = 1 << 21
"""Elements of a device that are looked at in its widest type at a time."""
CANCELLED = 10.0
"""The factor by which the squares may be larger than the spread that is worked out from them."""
FAST = {torch.float32: (1e-15, 1e15), torch.float64: (1e-150, 1e140)}
"""Types that are summed as they are, with the sizes between which squares neither vanish nor overflow."""
_EXACT_IN_FLOAT32 = (
    torch.float16, torch.bfloat16, torch.bool, torch.int8, torch.uint8, torch.int16, torch.complex64, torch.complex32,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
)  # fmt: skip


@dataclass(slots=True)
class Moments:
    """Moments, extremes and counts of the elements added so far."""

    count: int = 0
    """The number of finite elements."""
    mean: float = 0.0
    spread: float = 0.0
    """Sum of the squared distances from the mean."""
    squares: float = 0.0
    """Sum of the squares of what was summed, shifted or not."""
    low: float = math.inf
    high: float = -math.inf
    zeros: int = 0
    nan: int = 0
    above: int = 0
    """The number of elements that are +inf."""
    below: int = 0
    """The number of elements that are -inf."""

    def add(self, count: int, mean: float, spread: float) -> None:
        """Add a group with these moments."""
        both = self.count + count
        away = mean - self.mean
        self.mean += away * (count / both)
        self.spread += spread + (away * away * (self.count / both * count) if self.count else 0.0)  # not 0 × infinite
        self.count = both

    def reach(self, low: float, high: float) -> None:
        """Widen the extremes to these numbers."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    @property
    def cancelled(self) -> bool:
        """Whether the spread is a small difference of large numbers."""
        return self.squares > CANCELLED * self.spread

    def as_statistics(self, repeats: int, looked_at: int, distinct: int | None) -> Statistics:
        """The statistics as they are sent.

        Args:
            repeats: How often each element that was added stands in the tensor.
            looked_at: The number of elements added, where they are a sample; 0 for all.
            distinct: The number of distinct values, where it is known.
        """
        if not self.count and not (self.above or self.below):
            return Statistics(nan=self.nan * repeats, sampled=looked_at, distinct=distinct)
        count, infinite = self.count * repeats, bool(self.above or self.below)
        mean: float | None = self.mean
        if infinite:
            mean = None if self.above and self.below else math.inf if self.above else -math.inf
        std = None if infinite or count < 2 else math.sqrt(max(self.spread, 0.0) * repeats / (count - 1))
        norm = math.sqrt(self.spread * repeats + self.mean * self.mean * count)
        return Statistics(
            min=self.low,
            max=self.high,
            mean=mean,
            std=std,
            norm=math.inf if infinite else norm,
            zeros=self.zeros * repeats,
            nan=self.nan * repeats,
            inf=(self.above + self.below) * repeats,
            distinct=distinct,
            sampled=looked_at,
        )


def working_type(tensor: torch.Tensor) -> torch.dtype:
    """The type in which elements are reduced."""
    single = tensor.is_quantized or tensor.dtype is torch.float32 or tensor.dtype in _EXACT_IN_FLOAT32
    return torch.float32 if single or tensor.device.type == "mps" else torch.float64


class GroupReduction:
    """Adds group after group, with one buffer for what has to be converted or shifted."""

    def __init__(self, working: torch.dtype, size: int, device: torch.device) -> None:
        self._working = working
        self._size = size
        self._device = device
        self._buffer: torch.Tensor | None = None

    def add(self, piece: torch.Tensor, shift: float, total: Moments) -> None:
        """Add the elements of a piece, each shifted by `shift` before it is squared."""
        flat = self._flat(piece)
        whole = flat.numel() // _ROW * _ROW
        if whole:
            self._group(flat[:whole].view(-1, _ROW), shift, total)
        if whole < flat.numel():
            self._group(flat[whole:].view(1, -1), shift, total)

    def _room(self, number: int) -> torch.Tensor:
        if self._buffer is None or self._buffer.numel() < number:
            size = number if self._buffer is None else max(number, self._size)
            self._buffer = torch.empty(size, dtype=self._working, device=self._device)
        return self._buffer[:number]

    def _flat(self, piece: torch.Tensor) -> torch.Tensor:
        """The elements in a row, in the working type."""
        piece = real(piece)
        if is_straight(piece, self._working):
            return piece.view(-1)
        target = self._room(piece.numel())
        target.view(piece.shape).copy_(piece)
        return target

    def _group(self, rows: torch.Tensor, shift: float, total: Moments) -> None:
        if rows.device.type != "cpu":
            self._group_there(rows, shift, total)
            return
        low, high = (float(value) for value in torch.aminmax(rows))
        size = max(-low, high)
        least, most = FAST[self._working]
        if low == high == 0:
            total.zeros += rows.numel()
            total.reach(0.0, 0.0)
            total.add(rows.numel(), 0.0, 0.0)
            return
        if not (math.isfinite(low) and math.isfinite(high)) or not least < size < most:
            for part in pieces(rows.view(-1), _CAREFUL):
                _carefully(part, total)
            return
        if low <= 0 <= high:
            total.zeros += rows.numel() - int(torch.count_nonzero(rows))
        rows = self._shifted(rows, shift)
        count = rows.numel()
        # Rows are put together in float64.
        sums = rows.sum(1).cpu().to(torch.float64)
        norms = torch.linalg.vector_norm(rows, dim=1).cpu().to(torch.float64)
        away = float(sums.sum()) / count
        squares = float(norms.dot(norms))
        total.squares += squares
        total.reach(low, high)
        total.add(count, shift + away, max(0.0, squares - away * away * count))

    def _shifted(self, rows: torch.Tensor, shift: float) -> torch.Tensor:
        if not shift:
            return rows
        buffer = self._buffer
        own = buffer is not None and buffer.untyped_storage().data_ptr() == rows.untyped_storage().data_ptr()
        return rows.sub_(shift) if own else torch.sub(rows, shift, out=self._room(rows.numel()).view(rows.shape))

    def _group_there(self, rows: torch.Tensor, shift: float, total: Moments) -> None:
        """Add rows that lie on a device, which is asked once, or twice where the mean lies far from zero."""
        wide = widest_type(rows.device)
        count = rows.numel()
        ends = [*torch.aminmax(rows), torch.count_nonzero(rows)]
        sums: list[float] = []
        if shift:
            low, high, others = torch.stack([each.to(wide) for each in ends]).tolist()
        else:
            low, high, others, *sums = torch.stack([each.to(wide) for each in (*ends, *_moments(rows, wide))]).tolist()
        size = max(-low, high)
        least, most = FAST[self._working]
        if not (math.isfinite(low) and math.isfinite(high)) or (size and not least < size < most):
            for part in pieces(rows.view(-1), _CAREFUL_ON_DEVICE):
                _carefully_there(part, wide, total)
            return
        if low <= 0 <= high:
            total.zeros += count - int(others)
        summed, squares = sums or torch.stack([*_moments(self._shifted(rows, shift), wide)]).tolist()
        away = summed / count
        total.squares += squares
        total.reach(low, high)
        total.add(count, shift + away, max(0.0, squares - away * away * count))


def _moments(rows: torch.Tensor, wide: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """The sum and the sum of squares, of rows each summed in its own precision."""
    return rows.sum(1).to(wide).sum(), torch.linalg.vector_norm(rows, dim=1).to(wide).square().sum()


def widest_type(device: torch.device) -> torch.dtype:
    """The most precise type of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def is_straight(piece: torch.Tensor, working: torch.dtype) -> bool:
    """Whether elements can be reduced where they lie."""
    return piece.dtype is working and piece.is_contiguous() and not piece.is_neg()


def _carefully(part: torch.Tensor, total: Moments) -> None:
    """Add elements of which some are not finite, or which are too large or too small to be squared as they are."""
    numbers = in_doubles(part)
    total.nan += int(torch.isnan(numbers).sum())
    above, below = int((numbers == math.inf).sum()), int((numbers == -math.inf).sum())
    total.above, total.below = total.above + above, total.below + below
    if above:
        total.reach(math.inf, math.inf)
    if below:
        total.reach(-math.inf, -math.inf)
    numbers = numbers[torch.isfinite(numbers)]
    if not numbers.numel():
        return
    total.zeros += numbers.numel() - int(torch.count_nonzero(numbers))
    low, high = (float(value) for value in torch.aminmax(numbers))
    mean = float(numbers.mean())
    length = float(torch.linalg.vector_norm(numbers - mean))
    total.reach(low, high)
    total.add(numbers.numel(), mean, length * length)


def _carefully_there(part: torch.Tensor, wide: torch.dtype, total: Moments) -> None:
    """Add what `_carefully` would, from a device that is asked once."""
    numbers = part.to(wide)  # it may be the part itself: nothing is written into it
    odd = torch.isfinite(numbers).logical_not_()
    safe = numbers.masked_fill(odd, 0.0)
    count = numbers.numel() - odd.sum()
    mean = safe.sum() / count.clamp(min=1)
    length = torch.linalg.vector_norm((safe - mean).masked_fill_(odd, 0.0))
    asked = [
        torch.isnan(numbers).sum(), (numbers == math.inf).sum(), (numbers == -math.inf).sum(), count,
        torch.count_nonzero(safe), mean, length,
        numbers.masked_fill(odd, math.inf).amin(), numbers.masked_fill(odd, -math.inf).amax(),
    ]  # fmt: skip
    found = torch.stack([each.to(wide) for each in asked]).tolist()
    nan, above, below, known, others = (int(each) for each in found[:5])
    about, spread, low, high = found[5:]
    total.nan, total.above, total.below = total.nan + nan, total.above + above, total.below + below
    if above:
        total.reach(math.inf, math.inf)
    if below:
        total.reach(-math.inf, -math.inf)
    if known:
        total.zeros += known - others
        total.reach(low, high)
        total.add(known, about, spread * spread)


def in_doubles(part: torch.Tensor) -> torch.Tensor:
    """The elements in double precision, where they are; on the CPU only if their device has no such numbers."""
    return (part.cpu() if part.device.type == "mps" else part).to(torch.float64)
