"""Figures of a tensor: statistics, histogram, and the window of its numbers that is on a screen.

A tensor is never copied whole: reductions that are fast run over all of it, the others over chunks, and a histogram
samples what is large. (Measured on torch 2.13, CPU, 50 M floats: `sum` and `aminmax` 32 GB/s, `vector_norm` 17, but
`var_mean` 1.4 and `isfinite().all()` 1.0.)
"""

from __future__ import annotations

import array
import math
from collections.abc import Iterator

import torch

from stepdbg.protocol.messages import Histogram, Statistics, Window

_CHUNK = 1 << 20
"""Elements that are converted at a time."""
_SAMPLE = 1 << 20
"""A histogram counts at most so many elements."""
_LARGEST_WINDOW = 20_000
"""Elements in a window: far more than a screen shows."""


def readable(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The tensor in a form whose numbers can be read, and what a reader must know of it; None where there are none."""
    tensor = tensor.detach()
    if tensor.device.type == "meta":
        return None, "on the meta device: a shape without numbers"
    note = ""
    if tensor.is_quantized:
        tensor, note = tensor.dequantize(), "quantised: shown dequantised"
    if tensor.layout is not torch.strided:
        note = f"{str(tensor.layout).removeprefix('torch.')}: shown dense"
        tensor = tensor.to_dense()
    if tensor.is_complex():
        tensor, note = tensor.abs(), "complex: shown as absolute values"
    return tensor, note


def norm(tensor: torch.Tensor) -> float:
    """The 2-norm of all elements; NaN or infinite if one of them is."""
    if not tensor.numel():
        return 0.0
    if tensor.is_floating_point() and tensor.element_size() >= 4:
        return float(torch.linalg.vector_norm(tensor))
    if tensor.dtype in (torch.float16, torch.bfloat16):
        return float(torch.linalg.vector_norm(tensor, dtype=torch.float32))
    return math.sqrt(sum(float(part.to(torch.float64).square().sum()) for part in _parts(tensor)))


def single(tensor: torch.Tensor) -> bool | int | float | None:
    """The number of a tensor that holds a single one; None of any other, and where it is no real number."""
    if tensor.numel() != 1 or tensor.is_complex():
        return None
    value, _ = readable(tensor)
    number = None if value is None else value.item()
    return number if isinstance(number, (bool, int, float)) else None


def statistics(tensor: torch.Tensor) -> Statistics:
    """Of a readable tensor, over all its elements."""
    count = tensor.numel()
    if not count:
        return Statistics()
    fast = tensor.dtype in (torch.float32, torch.float64)
    zeros = count - sum(int(torch.count_nonzero(part)) for part in _parts(tensor, _CHUNK * 16))
    if not fast:
        return _by_chunks(tensor, zeros)
    low, high = (float(value) for value in torch.aminmax(tensor))
    if not (math.isfinite(low) and math.isfinite(high)):
        return _by_chunks(tensor, zeros)
    mean = float(tensor.sum()) / count
    length = float(torch.linalg.vector_norm(tensor))
    if not math.isfinite(length) or not math.isfinite(mean):
        return _by_chunks(tensor, zeros)
    if abs(mean) * math.sqrt(count) <= 0.1 * length:
        spread = length * length - count * mean * mean
    else:
        spread = sum(float(torch.linalg.vector_norm(part - mean)) ** 2 for part in _parts(tensor))
    std = math.sqrt(max(spread, 0.0) / (count - 1)) if count > 1 else None
    return Statistics(low, high, mean, std, length, zeros)


def histogram(tensor: torch.Tensor, bins: int) -> Histogram | None:
    """Equal bins over the finite values of a readable tensor; None where there are none."""
    flat = tensor.reshape(-1)
    step = max(1, math.ceil(flat.numel() / _SAMPLE))
    sample = flat[::step].to(torch.float64)
    sample = sample[torch.isfinite(sample)]
    if not sample.numel():
        return None
    low, high = float(sample.min()), float(sample.max())
    if low == high:
        return Histogram(low, high, (sample.numel(),), step > 1)
    counts = torch.histc(sample, bins, low, high)
    return Histogram(low, high, tuple(int(number) for number in counts.tolist()), step > 1)


def window(tensor: torch.Tensor, row: int, rows: int, column: int, columns: int) -> Window:
    """The part of a readable tensor that is on the screen, clipped to what there is."""
    across = tensor.shape[-1] if tensor.dim() else 1
    down = tensor.numel() // across if across else 0
    row, column = max(0, min(row, down - 1)), max(0, min(column, across - 1))
    rows, columns = max(0, min(rows, down - row)), max(0, min(columns, across - column))
    if rows * columns > _LARGEST_WINDOW:
        rows = max(1, _LARGEST_WINDOW // max(columns, 1))
    lines = []
    for number in range(row, row + rows):
        line = tensor
        for size, place in zip(tensor.shape[:-1], unravel(number, tuple(tensor.shape[:-1])), strict=True):
            assert place < size
            line = line[place]
        lines.append(line.reshape(-1)[column : column + columns])
    numbers = torch.cat(lines) if lines else torch.empty(0)
    if tensor.dtype is torch.bool:
        return Window(row, column, rows, columns, down, across, "?", bytes(numbers.tolist()))
    if tensor.is_floating_point():
        values = array.array("d", numbers.to(torch.float64).tolist())
        return Window(row, column, rows, columns, down, across, "d", values.tobytes())
    return Window(row, column, rows, columns, down, across, "q", array.array("q", numbers.tolist()).tobytes())


def unravel(number: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the element of that number in row-major order."""
    index = []
    for size in reversed(shape):
        number, place = divmod(number, size)
        index.append(place)
    return tuple(reversed(index))


def _parts(tensor: torch.Tensor, size: int = _CHUNK) -> Iterator[torch.Tensor]:
    """The elements in row-major order, so many at a time."""
    flat = tensor.reshape(-1)
    for start in range(0, flat.numel(), size):
        yield flat[start : start + size]


def _by_chunks(tensor: torch.Tensor, zeros: int) -> Statistics:
    """Two passes in float64, a chunk at a time: for small types, and where something is not finite."""
    nan = inf = count = 0
    low, high, total, squares = math.inf, -math.inf, 0.0, 0.0
    for part in _parts(tensor):
        numbers = part.to(torch.float64)
        missing = int(torch.isnan(numbers).sum())
        if missing:
            numbers = numbers[~torch.isnan(numbers)]
        nan += missing
        inf += int(torch.isinf(numbers).sum())
        if numbers.numel():
            count += numbers.numel()
            low, high = min(low, float(numbers.min())), max(high, float(numbers.max()))
            total += float(numbers.sum())
            squares += float((numbers * numbers).sum())
    if not count:
        return Statistics(nan=nan, zeros=zeros)
    mean = total / count
    std = None
    if count > 1 and math.isfinite(mean):
        spread = 0.0
        for part in _parts(tensor):
            numbers = part.to(torch.float64) - mean
            spread += float((numbers * numbers).nansum())
        std = math.sqrt(spread / (count - 1))
    return Statistics(low, high, mean, std, math.sqrt(squares), zeros, nan, inf)
