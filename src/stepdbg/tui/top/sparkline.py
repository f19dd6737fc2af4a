"""The newest values of a series in a few cells."""

from __future__ import annotations

import math

from stepdbg.tui.drawing.lines import UNICODE, Glyphs
from stepdbg.tui.records.losses import Series


def sparkline(series: Series, width: int, glyphs: Glyphs = UNICODE) -> str:
    """The newest values as bars; a value that is not finite is a `!`."""
    values = [point.value for point in series.points[-width:]] if width > 0 else []
    finite = [value for value in values if math.isfinite(value)]
    if len(values) < 2 or not finite:
        return ""
    low, high = min(finite), max(finite)
    steps = len(glyphs.bars) - 1
    bars = []
    for value in values:
        if not math.isfinite(value):
            bars.append("!")
        else:
            level = (value - low) / (high - low) if high > low else 0.5
            bars.append(glyphs.bars[1 + min(steps - 1, int(level * steps))])
    return "".join(bars)
