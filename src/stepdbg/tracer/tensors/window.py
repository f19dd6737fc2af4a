"""A tensor's histogram, and the window of its numbers that is on a screen.

Neither needs the whole: a histogram samples what is large, and a window is cut out before anything is converted.
"""

from __future__ import annotations

import array

import torch

from stepdbg.protocol import slices
from stepdbg.protocol.messages import Histogram, Window
from stepdbg.tracer.tensors.chunks import spread
from stepdbg.tracer.tensors.moments import working_type
from stepdbg.tracer.tensors.readable import elements_of, is_part, local, readable, real
from stepdbg.tracer.tensors.statistics import norm, statistics

__all__ = [
    "difference", "histogram", "local", "norm", "readable", "real", "single", "sliced", "statistics", "unravel",
    "window",
]  # fmt: skip

_SAMPLE = 1 << 20
"""A histogram counts at most so many elements."""
_LARGEST_WINDOW = 20_000
"""Elements in a window: far more than a screen shows."""


def histogram(tensor: torch.Tensor, bins: int) -> Histogram | None:
    """Equal bins over the finite values of a readable tensor; None where there are none."""
    if not tensor.numel():
        return None
    found = spread(tensor, _SAMPLE)
    sample = real(found.elements).cpu().to(torch.float64)
    sample = sample[torch.isfinite(sample)]
    if not sample.numel():
        return None
    low, high = float(sample.min()), float(sample.max())
    size = max(-low, high)
    if not 1e-100 < size < 1e100:  # there the width of a bin, or the range itself, may be no number
        sample = sample / size
    ends = float(sample.min()), float(sample.max())
    if low == high or ends[0] == ends[1]:
        counts = [sample.numel()]
    else:
        counts = [int(number) for number in torch.histc(sample, bins, *ends).tolist()]
    times = 1 if found.passed_over else found.repeats
    return Histogram(low, high, tuple(count * times for count in counts), found.passed_over)


def window(
    tensor: torch.Tensor, row: int, rows: int, column: int, columns: int, less: torch.Tensor | None = None
) -> Window:
    """The part of a readable tensor that is on the screen, clipped to what there is; less that of another one."""
    across = tensor.shape[-1] if tensor.dim() else 1
    down = tensor.numel() // across if across else 0
    row, column = max(0, min(row, down - 1)), max(0, min(column, across - 1))
    rows, columns = max(0, min(rows, down - row)), max(0, min(columns, across - column))
    if rows * columns > _LARGEST_WINDOW:
        rows = max(1, _LARGEST_WINDOW // max(columns, 1))
    lines = []
    for number in range(row, row + rows):
        place = unravel(number, tuple(tensor.shape[:-1]))
        line = _line(tensor, place, column, columns)
        lines.append(real(line) if less is None else difference(line, _line(less, place, column, columns)))
    numbers = torch.cat(lines) if lines else torch.empty(0, device="cpu")
    if numbers.dtype is torch.bool:
        return Window(row, column, rows, columns, down, across, "?", bytes(numbers.tolist()))
    if numbers.is_floating_point() or numbers.dtype is torch.uint64:
        values = array.array("d", numbers.to(torch.float64).tolist())
        return Window(row, column, rows, columns, down, across, "d", values.tobytes())
    return Window(row, column, rows, columns, down, across, "q", array.array("q", numbers.tolist()).tobytes())


def difference(new: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    """New minus old, in a type that holds it: of parts, which have the same shape. The old may lie on the CPU."""
    old = old if old.device == new.device else old.to(new.device)
    if new.is_complex():
        wide = torch.complex64 if new.dtype is torch.complex32 else new.dtype
        return real(new.to(wide) - old.to(wide))
    working = working_type(new)
    return real(new).to(working) - real(old).to(working)


def _line(tensor: torch.Tensor, place: tuple[int, ...], column: int, columns: int) -> torch.Tensor:
    for index in place:
        tensor = tensor[index]
    return tensor.reshape(-1)[column : column + columns]


def sliced(tensor: torch.Tensor, text: str) -> torch.Tensor:
    """What a slice in Python's syntax leaves of a readable tensor: a view.

    Raises:
        SliceError: it does not fit.
    """
    return tensor[slices.read(text, tuple(tensor.shape))] if text else tensor


def single(tensor: torch.Tensor) -> bool | int | float | None:
    """The number of a tensor that holds a single one; None of any other, and where it is no real number."""
    try:
        if elements_of(tensor) != 1 or tensor.is_complex() or is_part(tensor):
            return None
        value, _ = readable(tensor)
        number = real(value).item() if value is not None and value.numel() == 1 else None
    except RuntimeError:  # its device has failed
        return None
    return number if isinstance(number, (bool, int, float)) else None


def unravel(number: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """The index of the element of that number in row-major order."""
    index = []
    for size in reversed(shape):
        number, place = divmod(number, size)
        index.append(place)
    return tuple(reversed(index))
