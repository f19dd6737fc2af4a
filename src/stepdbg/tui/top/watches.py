"""The line under the header where something is watched: what each watch gives here, and how it came to that."""

from __future__ import annotations

from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, plain, shortened
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PanelTarget
from stepdbg.tui.state.watched import WatchReading, readings
from stepdbg.tui.top.sparkline import sparkline

LONGEST = 30
"""Cells of an expression, where there are several watches."""
_BARS = 8


def watched(snapshot: Snapshot) -> bool:
    """Whether there is anything to tell in the line."""
    return any(watch.enabled for watch in snapshot.session.watches)


def draw(snapshot: Snapshot, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """The line, at most `width` cells: as many watches as fit whole, and how many more there are."""
    shown = [one for one in readings(snapshot) if one.watch.enabled]
    target = PanelTarget("breaks")
    spans: list[Span] = []
    used = 0
    for place, one in enumerate(shown):
        left = len(shown) - place - 1
        rest = f"  and {plural(left, 'other')}" if left else ""
        entry = _entry(one, width - used - cell_len(rest), glyphs, alone=len(shown) == 1)
        wide = sum(cell_len(span.text) for span in entry)
        if place and used + wide + cell_len(rest) > width:
            spans.append(Span(f"  and {plural(left + 1, 'other')}", "dim", target))
            break
        spans += (span._replace(target=target) for span in entry)
        used += wide
    return tuple(spans)


def _entry(one: WatchReading, room: int, glyphs: Glyphs, *, alone: bool) -> Line:
    """` grad_norm() 0.4312 ▁▂▅ `, in so many cells if that can be: first the bars give way, then the expression."""
    found = plain(one.problem or one.words or "-")
    longest = room // 2 if alone and one.problem else room if alone else LONGEST
    name = shortened(plain(one.watch.expression), longest, glyphs.ellipsis)
    if one.problem:
        found = shortened(found, max(12, room - cell_len(name) - 5), glyphs.ellipsis)
        return (Span(f" {name} ", "strong"), Span(f"! {found} ", "error"))
    spark = sparkline(one.series, _BARS, glyphs)
    if cell_len(name) + cell_len(found) + cell_len(spark) + 4 > room:
        spark = ""
    name = shortened(name, max(8, room - cell_len(found) - 3), glyphs.ellipsis)
    spans = (Span(f" {name} ", "strong"), Span(f"{found} ", "number"))
    return (*spans, Span(f"{spark} ", "chart.1")) if spark else spans
