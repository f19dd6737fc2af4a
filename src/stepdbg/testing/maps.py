"""Heat maps of the fake debuggee's tensors: one pixel for each element, as far as there is room."""

from __future__ import annotations

import math

from stepdbg.protocol.messages import HeatMap, HeatMaps, LookAtMaps
from stepdbg.testing.looking import seen
from stepdbg.testing.network import Tensor


def heat_maps(query: LookAtMaps, alive: dict[str, Tensor]) -> HeatMaps | None:
    """The maps of what is there; blocks show their first element, since the fake's tensors are small."""
    found = [
        (name, seen(alive[name], query.side, query.cut)[0])
        for name in query.objects
        if name in alive and alive[name].values and (query.side == "now" or alive[name].before is not None)
    ]
    if not found:
        return None
    shape = found[0][1].shape
    rows, columns = (shape[-2] if len(shape) > 1 else 1), (shape[-1] if shape else 1)
    high, wide = -(-rows // max(1, query.rows)), -(-columns // max(1, query.columns))
    maps = tuple(
        _map(name, tensor, rows, columns, high, wide, query) for name, tensor in found if tensor.shape == shape
    )
    return HeatMaps(query.slice, rows, columns, high, wide, maps, side=query.side)


def _map(name: str, tensor: Tensor, rows: int, columns: int, high: int, wide: int, query: LookAtMaps) -> HeatMap:
    finite = [value for value in tensor.values if math.isfinite(value)] or [0.0]
    end = max(map(abs, finite)) or 1.0
    low = -end if min(finite) < 0 else 0.0
    levels = bytes(
        _level(tensor.values[row * columns + column], low, end)
        for row in range(0, rows, high)
        for column in range(0, columns, wide)
    )
    here = tensor.values[query.row * columns + query.column] if query.row < rows and query.column < columns else None
    return HeatMap(name, -(-rows // high), -(-columns // wide), levels, low, end, low < 0, here)


def _level(value: float, low: float, high: float) -> int:
    if math.isnan(value):
        return 16
    if math.isinf(value):
        return 17 if value > 0 else 18
    return max(0, min(15, int((value - low) / (high - low) * 16)))
