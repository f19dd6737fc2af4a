"""What of a fake tensor is looked at: as it is, as it was, the difference, a slice of it; and the next element."""

from __future__ import annotations

import itertools
import math
from array import array

from stepdbg.protocol import slices
from stepdbg.protocol.messages import Change, Condition, Find, Found, LookBeside, Side, Window
from stepdbg.testing.network import Tensor


def seen(tensor: Tensor, side: Side, cut: str) -> tuple[Tensor, Side]:
    """A tensor of the numbers that are shown, and the side that they are of.

    Raises:
        SliceError: the slice does not fit.
    """
    numbers, shown = tensor.values, side
    if tensor.before is None:
        shown = "now"
    elif side == "before":
        numbers = tensor.before
    elif side == "change":
        numbers = array("d", (new - old for new, old in zip(tensor.values, tensor.before, strict=True)))
    places = slices.read(cut, tensor.shape) if cut else tuple(slice(0, size, 1) for size in tensor.shape)
    ranges = [
        range(place, place + 1) if isinstance(place, int) else range(place.start, place.stop, place.step)
        for place in places
    ]
    strides = [math.prod(tensor.shape[dim + 1 :]) for dim in range(len(tensor.shape))]
    chosen = [
        numbers[sum(at * stride for at, stride in zip(index, strides, strict=True))]
        for index in itertools.product(*ranges)
    ]
    shape = tuple(len(each) for each, place in zip(ranges, places, strict=True) if isinstance(place, slice))
    return Tensor(shape, array("d", chosen), tensor.dtype), shown


def column_of(tensor: Tensor, side: Side, query: LookBeside) -> Window | None:
    """Some rows of one column."""
    found, shown = seen(tensor, side, query.cut)
    if shown != side:
        return None
    across = found.shape[-1] if found.shape else 1
    down = len(found.values) // across if across else 0
    rows = max(0, min(query.rows, down - query.row))
    numbers = array("d", (found.values[row * across + query.column] for row in range(query.row, query.row + rows)))
    return Window(query.row, query.column, rows, 1, down, across, "d", numbers.tobytes())


def change(tensor: Tensor, phase: str, update: int) -> Change | None:
    """What its last write came to; None where there was none."""
    if tensor.before is None:
        return None
    apart = [new - old for new, old in zip(tensor.values, tensor.before, strict=True)]
    size = math.hypot(*tensor.before)
    return Change(
        phase=phase,
        update=update,
        norm=math.hypot(*apart),
        largest=max(map(abs, apart), default=0.0),
        changed=sum(number != 0 for number in apart),
        elements=len(apart),
        ratio=math.hypot(*apart) / size if size else None,
    )


def find(tensor: Tensor, query: Find) -> Found:
    """The next element for which the condition holds."""
    numbers = seen(tensor, query.side, query.cut)[0].values
    order = range(query.start, -1, -1) if query.backwards else range(query.start, len(numbers))
    return Found(next((number for number in order if _holds(query.condition, numbers[number])), None))


def _holds(condition: Condition, number: float) -> bool:
    if condition.odd:
        return not math.isfinite(number)
    low = -math.inf if condition.low is None else condition.low
    high = math.inf if condition.high is None else condition.high
    return (not low <= number <= high and not math.isnan(number)) if condition.outside else low <= number <= high
