"""Statistics of a tensor in one go over memory.

The limit is the bandwidth: each element has to be read once (200 MB for 50 M floats, some 8 ms at 25 GB/s). So the
tensor is read a group at a time, by those reductions alone that torch runs at that speed. (Measured on torch 2.13,
CPU, 50 M floats: `aminmax`, `sum` and `vector_norm` 7 to 10 ms each, `count_nonzero` 24; but `std` 56,
`isnan().sum()` 250, `isinf().sum()` 480.)

- `aminmax` tells whether anything is not finite; only such a group is looked at carefully, in float64.
- The spread comes from sum and norm, which cancel where the mean is large against it: then all is shifted first, by
  about the mean. Groups are put together by the rule of Chan, Golub and LeVeque (1979), in Python's float64.
- Zeros are counted only in groups that have some on either side of 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from stepdbg.protocol.messages import Statistics
from stepdbg.tracer.tensors.chunks import in_memory_order, pieces, some_pieces, spread
from stepdbg.tracer.tensors.readable import Unreadable, local, real

WHOLE = 1 << 28
"""Elements up to which all are looked at; of more, evenly spread groups are."""
_SOME = 1 << 26
"""Elements that are looked at then."""
_SAMPLED_GROUP = 1 << 18
"""Elements of such a group."""
_GROUP = 1 << 30
"""Bytes that are reduced at a time where they lie. (Of 4 MB, which stay in the cache, it takes half the time on cores
that nobody else uses, and up to four times as long on others: there all threads wait for the slowest, each time.)"""
_BUFFER = 12 << 20
"""The same where elements have to be converted or shifted, into a buffer."""
_GROUP_ON_DEVICE = 128 << 20
_ROW = 1 << 14
"""Elements that are summed in the tensor's own precision."""
_NORMED = 1 << 12
"""Elements whose squares are added up in float32 for a norm."""
_CAREFUL = 1 << 17
"""Elements that are looked at in float64 at a time."""
_CAREFUL_ON_DEVICE = 1 << 21
_FETCHED = 1 << 14
"""Elements up to which a tensor on a device is fetched whole: one copy takes less time than several answers."""
_GUESS = 4_096
"""Elements that the mean is guessed from."""
_CANCELLED = 10.0
"""So many times may the squares be larger than the spread that is worked out from them."""
_SHIFTS = 3
DISTINCT = 64
"""More distinct values than these are not told."""
_MKLDNN = getattr(torch, "_mkldnn", None)
"""The layout of a tensor in an order of oneDNN's own."""
_MOST_DISTINCT = 1 << 18
"""Elements up to which distinct values are counted."""


@dataclass(slots=True)
class _Total:
    """What is known of the elements so far."""

    count: int = 0
    """Finite ones."""
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
    """Infinities."""
    below: int = 0

    def add(self, count: int, mean: float, spread: float) -> None:
        """A group with these moments."""
        both = self.count + count
        away = mean - self.mean
        self.mean += away * (count / both)
        self.spread += spread + (away * away * (self.count / both * count) if self.count else 0.0)  # not 0 × infinite
        self.count = both

    def reach(self, low: float, high: float) -> None:
        """Numbers up to these ends."""
        self.low, self.high = min(self.low, low), max(self.high, high)

    @property
    def cancelled(self) -> bool:
        """Whether the spread is a small difference of large numbers."""
        return self.squares > _CANCELLED * self.spread

    def told(self, repeats: int, looked_at: int, distinct: int | None) -> Statistics:
        """As it is sent."""
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


def statistics(tensor: torch.Tensor) -> Statistics | None:
    """Of all elements that this process holds, whatever their type and layout; None where there are no numbers.

    None too where they cannot be read, for whatever reason. More than `WHOLE` elements are sampled, and the answer
    says so.
    """
    try:
        return _statistics(local(tensor)[0])
    except (RuntimeError, TypeError, ValueError, Unreadable):  # a type or layout that torch has no operator for
        return None


def _statistics(tensor: torch.Tensor) -> Statistics | None:
    if tensor.is_nested and tensor.layout is torch.strided:
        tensor = tensor.values()
    if tensor.layout is _MKLDNN:
        tensor = tensor.to_dense()
    if tensor.layout is not torch.strided:
        return _of_sparse(tensor)
    if not tensor.numel():
        return Statistics()
    if tensor.is_quantized and tensor.qscheme() is not torch.per_tensor_affine:
        tensor = tensor.dequantize()
    stored, repeats = in_memory_order(tensor)
    if stored.device.type != "cpu" and stored.numel() <= _FETCHED:
        stored = stored.reshape(-1).cpu()
    total, looked_at = _summed(stored)
    return total.told(repeats, looked_at, _distinct(stored))


def norm(tensor: torch.Tensor) -> float | None:
    """The 2-norm of all elements; NaN or infinite if one of them is.

    None where there are no numbers, where they cannot be read, or where there are too many.
    """
    try:
        return _norm(local(tensor)[0])
    except (RuntimeError, TypeError, ValueError, Unreadable):
        return None


def _norm(tensor: torch.Tensor) -> float | None:
    half = tensor.dtype in _HALVES and tensor.device.type != "cpu"
    straight = tensor.layout is torch.strided and (half or tensor.dtype in _FAST) and not tensor.is_nested
    if straight and 0 < tensor.numel() <= WHOLE:
        stored, repeats = in_memory_order(tensor)
        if repeats == 1 and stored.is_contiguous():
            found = _length(stored.view(-1), half=half)
            if math.isnan(found) or _SQUARED[0] < found < _SQUARED[1]:
                return found
    figures = _statistics(tensor)
    if figures is None or figures.sampled:
        return None
    return math.nan if figures.nan else figures.norm or 0.0


def _length(flat: torch.Tensor, *, half: bool) -> float:
    """The 2-norm of elements that lie side by side. On a CPU torch adds up all squares in one go, in float32: of 50
    million numbers around 100 it finds 3 % too little. So it is given rows, which are put together in float64.
    """
    kind = torch.float32 if half else None
    whole = flat.numel() // _NORMED * _NORMED
    if not whole or flat.dtype is torch.float64:
        return float(torch.linalg.vector_norm(flat, dtype=kind))
    wide = _widest(flat.device)
    sizes = torch.linalg.vector_norm(flat[:whole].view(-1, _NORMED), dim=1, dtype=kind).to(wide)
    if whole == flat.numel():
        return float(torch.linalg.vector_norm(sizes))
    rest = torch.linalg.vector_norm(flat[whole:], dtype=kind).to(wide)
    return float(torch.hypot(torch.linalg.vector_norm(sizes), rest))


_SQUARED = (1e-15, 1e15)
"""Norms between which no square has vanished or overflowed in float32."""
_FAST = {torch.float32: (1e-15, 1e15), torch.float64: (1e-150, 1e140)}
"""Types that are summed as they are, with the sizes between which squares neither vanish nor overflow."""
_HALVES = (torch.float16, torch.bfloat16)
"""Types whose norm a device works out in float32; a CPU would add up their squares one by one."""
_EXACT_IN_FLOAT32 = (
    torch.float16, torch.bfloat16, torch.bool, torch.int8, torch.uint8, torch.int16, torch.complex64, torch.complex32,
    torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e4m3fnuz, torch.float8_e5m2fnuz,
)  # fmt: skip


def working_type(tensor: torch.Tensor) -> torch.dtype:
    """The type in which elements are reduced."""
    single = tensor.is_quantized or tensor.dtype is torch.float32 or tensor.dtype in _EXACT_IN_FLOAT32
    return torch.float32 if single or tensor.device.type == "mps" else torch.float64


def _summed(stored: torch.Tensor) -> tuple[_Total, int]:
    """All groups, or some; and how many elements those hold, 0 for all."""
    working = working_type(stored)
    every = 1 if stored.numel() <= WHOLE else -(-stored.numel() // _SOME)
    shift = _guessed_mean(stored, working)
    for _ in range(_SHIFTS):
        total, seen = _Total(), 0
        size = _group_size(stored, working, shift) if every == 1 else _SAMPLED_GROUP
        reduction = _Reduction(working, size, stored.device)
        for piece in pieces(stored, size) if every == 1 else some_pieces(stored, size, every):
            seen += piece.numel()
            reduction.add(piece, shift, total)
        nearer = _rounded(total.mean, working)
        if not total.cancelled or nearer == shift:
            break
        shift = nearer
    return total, 0 if seen == stored.numel() else seen


def _group_size(stored: torch.Tensor, working: torch.dtype, shift: float) -> int:
    """Elements that are reduced at a time."""
    room = _GROUP if stored.device.type == "cpu" else _GROUP_ON_DEVICE
    if shift or not is_straight(stored, working):
        room = min(room, _BUFFER if stored.device.type == "cpu" else room // 2)
    if stored.is_complex() or stored.is_quantized:  # real numbers are made of them first
        room //= 2
    return room // working.itemsize


def _guessed_mean(stored: torch.Tensor, working: torch.dtype) -> float:
    """About the mean, where it is large against the spread; else 0."""
    numbers = real(spread(stored, _GUESS).elements).cpu().to(torch.float64)
    numbers = numbers[torch.isfinite(numbers)]
    if numbers.numel() < 2:
        return 0.0
    mean, std = float(numbers.mean()), float(numbers.std())
    far = math.isfinite(std) and mean * mean > (_CANCELLED - 1) * std * std
    return _rounded(mean, working) if far else 0.0


def _rounded(value: float, working: torch.dtype) -> float:
    """As torch would round it before it subtracts."""
    return float(torch.tensor(value, dtype=working, device="cpu")) if math.isfinite(value) else 0.0


class Summing:
    """Statistics of what comes a piece at a time."""

    def __init__(self, working: torch.dtype, size: int, device: torch.device) -> None:
        self.seen = 0
        """Elements."""
        self._total = _Total()
        self._reduction = _Reduction(working, size, device)

    def add(self, piece: torch.Tensor) -> None:
        """Some more elements."""
        self.seen += piece.numel()
        if piece.numel():
            self._reduction.add(piece, 0.0, self._total)

    def told(self, sampled: int = 0) -> Statistics:
        """Of all so far; `sampled`: how many they are, where there were others."""
        return self._total.told(1, sampled, None) if self.seen else Statistics()


class _Reduction:
    """Adds group after group, with one buffer for what has to be converted or shifted."""

    def __init__(self, working: torch.dtype, size: int, device: torch.device) -> None:
        self._working = working
        self._size = size
        self._device = device
        self._buffer: torch.Tensor | None = None

    def add(self, piece: torch.Tensor, shift: float, total: _Total) -> None:
        """The elements of a piece."""
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

    def _group(self, rows: torch.Tensor, shift: float, total: _Total) -> None:
        if rows.device.type != "cpu":
            self._group_there(rows, shift, total)
            return
        low, high = (float(value) for value in torch.aminmax(rows))
        size = max(-low, high)
        least, most = _FAST[self._working]
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

    def _group_there(self, rows: torch.Tensor, shift: float, total: _Total) -> None:
        """The same on a device, which is asked once, or twice where the mean lies far from zero."""
        wide = _widest(rows.device)
        count = rows.numel()
        ends = [*torch.aminmax(rows), torch.count_nonzero(rows)]
        sums: list[float] = []
        if shift:
            low, high, others = torch.stack([each.to(wide) for each in ends]).tolist()
        else:
            low, high, others, *sums = torch.stack([each.to(wide) for each in (*ends, *_moments(rows, wide))]).tolist()
        size = max(-low, high)
        least, most = _FAST[self._working]
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


def _widest(device: torch.device) -> torch.dtype:
    """The most precise type of a device."""
    return torch.float32 if device.type == "mps" else torch.float64


def is_straight(piece: torch.Tensor, working: torch.dtype) -> bool:
    """Whether elements can be reduced where they lie."""
    return piece.dtype is working and piece.is_contiguous() and not piece.is_neg()


def _carefully(part: torch.Tensor, total: _Total) -> None:
    """Elements of which some are not finite, or which are too large or too small to be squared as they are."""
    numbers = _in_doubles(part)
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


def _carefully_there(part: torch.Tensor, wide: torch.dtype, total: _Total) -> None:
    """The same as `_carefully`, on a device, which is asked once."""
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


def _in_doubles(part: torch.Tensor) -> torch.Tensor:
    """The elements in double precision, where they are; on the CPU only if their device has no such numbers."""
    return (part.cpu() if part.device.type == "mps" else part).to(torch.float64)


def _of_sparse(tensor: torch.Tensor) -> Statistics | None:
    """Of what is stored, and of the zeros that are not."""
    try:
        stored = tensor.coalesce().values() if tensor.layout is torch.sparse_coo else tensor.values()
    except (RuntimeError, AttributeError):  # a layout that has none to look at
        return None
    absent = tensor.numel() - stored.numel()
    if not tensor.numel():
        return Statistics()
    total, looked_at = _summed(stored.reshape(-1)) if stored.numel() else (_Total(), 0)
    if absent:
        total.reach(0.0, 0.0)
        total.zeros += absent
        total.add(absent, 0.0, 0.0)
    return total.told(1, looked_at, None)


def _distinct(stored: torch.Tensor) -> int | None:
    """How many distinct values there are, where those are few and soon counted."""
    if stored.numel() > _MOST_DISTINCT:
        return None
    few = _values(spread(stored, 4 * DISTINCT).elements.cpu())
    if few > DISTINCT:
        return None
    found = few if stored.numel() <= 4 * DISTINCT else _values(stored)
    return found if found <= DISTINCT else None


def _values(part: torch.Tensor) -> int:
    if part.is_complex():  # as they are: absolute values of the same number may differ in their last bit
        wide = part.resolve_conj().to(torch.complex64 if part.dtype is torch.complex32 else part.dtype)
        pairs = torch.view_as_real(wide).reshape(-1, 2)
        return int(torch.unique(pairs[~torch.isnan(pairs).any(1)], dim=0).shape[0])
    numbers = real(part).reshape(-1)
    if numbers.dtype not in (torch.int32, torch.int64, torch.bool, torch.uint8):
        numbers = _in_doubles(numbers)
        numbers = numbers[~torch.isnan(numbers)]
    return int(torch.unique(numbers).numel())
