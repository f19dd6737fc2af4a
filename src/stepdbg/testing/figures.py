"""Figures of the fake network's tensors: norm, statistics, histogram, and the window that is on a screen."""

from __future__ import annotations

import math
import struct
from array import array

from stepdbg.protocol.messages import Histogram, LookAt, Statistics, Window
from stepdbg.testing.network import Tensor


def norm(numbers: array[float]) -> float:
    """The 2-norm of all but NaN."""
    return math.sqrt(sum(value * value for value in numbers if not math.isnan(value)))


def statistics(numbers: array[float]) -> Statistics:
    """Of a tensor's numbers."""
    known = [value for value in numbers if not math.isnan(value)]
    if not known:
        return Statistics(nan=len(numbers))
    mean = sum(known) / len(known)
    finite = all(map(math.isfinite, known))
    spread = sum((value - mean) ** 2 for value in known) if finite else math.nan
    return Statistics(
        min(known),
        max(known),
        mean,
        math.sqrt(spread / (len(known) - 1)) if len(known) > 1 and finite else None,
        norm(numbers),
        sum(value == 0 for value in known),
        len(numbers) - len(known),
        sum(map(math.isinf, known)),
    )


def histogram(numbers: array[float], bins: int) -> Histogram | None:
    """Equal bins over the finite values; None where there are none."""
    finite = [value for value in numbers if math.isfinite(value)]
    if not finite:
        return None
    low, high = min(finite), max(finite)
    counts = [0] * bins
    for value in finite:
        counts[min(bins - 1, int((value - low) / (high - low) * bins)) if high > low else 0] += 1
    return Histogram(low, high, tuple(counts))


def window(tensor: Tensor, query: LookAt) -> Window:
    """The part that is asked for, clipped to what there is."""
    across = tensor.shape[-1] if tensor.shape else 1
    down = len(tensor.values) // across if across else 0
    row, column = max(0, min(query.row, down - 1)), max(0, min(query.column, across - 1))
    rows, columns = min(query.rows, down - row), min(query.columns, across - column)
    numbers = [tensor.values[r * across + c] for r in range(row, row + rows) for c in range(column, column + columns)]
    whole = tensor.dtype == "int64"
    code = "q" if whole else "d"
    raw = struct.pack(f"<{len(numbers)}{code}", *(map(int, numbers) if whole else numbers))
    return Window(row, column, rows, columns, down, across, "q" if whole else "d", raw)
