"""Panel 5: each loss, and each value that the script or the user watches, over the updates.

The losses share the vertical axis; a watched value may be of any size, so it is drawn from its own lowest to its own
highest, which the legend tells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs, Line, Span, lesson, plain, shortened, whole, width_of
from stepdbg.tui.drawing.numbers import figure
from stepdbg.tui.panels.text.chart import LETTERS, Curve, chart
from stepdbg.tui.records.losses import Series
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.watched import readings

_LEAST = 8
"""Cells of a name in the legend, however little room there is."""


def curves(losses: Sequence[Series], watches: Sequence[Series], *, log: bool = False) -> list[Curve]:
    """The lines to draw. The axis is that of the losses; where there are none, that of the first watched value."""
    losses = [one for one in losses if one.points]
    watches = [one for one in watches if one.points]
    axis = _range(losses or watches[:1], log)
    found = [Curve(one.name, one.points, *axis, False, log) for one in losses]
    for one in watches:
        own = bool(found)
        found.append(Curve(one.name, one.points, *(_range([one], log) if own else axis), own, log))
    return found


def _range(series: Sequence[Series], log: bool) -> tuple[float, float]:
    """The lowest and the highest value that can be drawn, never the same."""
    values = (point.value for one in series for point in one.points)
    finite = [value for value in values if math.isfinite(value) and (value > 0 or not log)]
    if not finite:
        return (0.1, 1.0)
    low, high = min(finite), max(finite)
    if high == low:
        return low - (abs(low) or 1) * 0.5, high + (abs(high) or 1) * 0.5
    return low, high


def draw(snapshot: Snapshot, frame: Frame, *, log: bool = False) -> Drawing:
    """The panel.

    Args:
        snapshot: What is known.
        frame: Where to draw.
        log: Whether the vertical axis is logarithmic.
    """
    watched = [one.series for one in readings(snapshot) if one.watch.enabled]
    lines = curves(snapshot.losses, (*snapshot.watches, *watched), log=log)
    if not lines:
        missing, words = "no loss yet", "No loss yet. It is the tensor that backward is called on; the chart grows"
        if snapshot.stop is not None and snapshot.stop.boundary.loss is not None:  # one was computed, and no more
            missing, words = "no backward yet", "No backward yet. The chart grows with each loss that it is called on,"
        words += ' while training runs. stepdbg.watch("name", value) in your script draws a line beside it.'
        return Drawing(title=(Span(missing, "dim"),), body=lesson(words, frame))
    return charted(lines, frame, log=log)


def charted(lines: list[Curve], frame: Frame, *, log: bool) -> Drawing:
    """The chart of these curves, with their legend."""
    title, head = _legend(lines, frame)
    if log:
        below = sum(math.isfinite(point.value) and point.value <= 0 for one in lines for point in one.points)
        title = (Span("log ", "dim"), *title, *((Span(f" {below} not above 0", "warning"),) if below else ()))
    room = frame.height - len(head)
    return Drawing(title, head, tuple(chart(lines, frame.width, room, frame.glyphs)))


def _legend(lines: list[Curve], frame: Frame) -> tuple[Line, tuple[Line, ...]]:
    """Names and newest values: in the title where there is one line, else in rows below it, as few as hold them."""
    alone, room = len(lines) == 1, frame.width - 2
    entries = [_entry(place, one, frame.glyphs, room, alone=alone) for place, one in enumerate(lines)]
    broken = sum(not math.isfinite(point.value) for one in lines for point in one.points)
    warning: Line = (Span(f"{broken} not finite", "error"),) if broken else ()
    if len(entries) == 1:
        return (*entries[0], *warning), ()
    rows: list[list[Span]] = [[]]
    for entry in entries:
        if rows[-1] and width_of((*rows[-1], *entry)) > frame.width - 1:
            rows.append([])
        rows[-1] += entry
    most = max(1, frame.height - 5)
    kept = rows[:most]
    left_out = len(entries) - sum(span.role.startswith("chart.") for row in kept for span in row)
    more = f"{len(entries)} lines" + (f", {left_out} more than the legend holds  " if left_out else "  ")
    return (Span(more, "dim"), *warning), tuple(whole((Span(" "), *row), frame.width) for row in kept)


def _entry(place: int, one: Curve, glyphs: Glyphs, room: int, *, alone: bool) -> Line:
    """Sign, name, newest value and range of a curve: in so much room, if need be with a shorter name."""
    sign = (glyphs.rule * 2) if glyphs.braille else LETTERS[place % len(LETTERS)]
    value, beside = f" {figure(one.points[-1].value)} ", ""
    if one.own:
        beside = f"({figure(one.low)} to {figure(one.high)}) "
    elif alone:
        lowest = min((point.value for point in one.points if math.isfinite(point.value)), default=None)
        beside = f" lowest {figure(lowest)} " if lowest is not None else ""
    left = room - cell_len(sign) - cell_len(value) - cell_len(beside) - 1
    name = shortened(plain(one.name), max(_LEAST, left), glyphs.ellipsis)
    found = [Span(f"{sign} ", f"chart.{place % 4}"), Span(f"{name}{value}"), Span(beside, "dim")]
    return (*(span for span in found if span.text), Span(" "))
