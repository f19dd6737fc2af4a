"""A watch as a row of panel 8: what it gives here, its history, how often it is sampled, or what is wrong with it."""

from __future__ import annotations

from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import Glyphs, Line, Span, Target, padded, plain, shortened
from stepdbg.tui.drawing.numbers import count
from stepdbg.tui.state.watched import WatchReading
from stepdbg.tui.top.sparkline import sparkline

_LEAST = 12
"""Cells that an expression keeps."""
_FIGURE = 9
"""Cells of a value."""
_BARS = 24
"""The most cells of a history."""


def watch_line(one: WatchReading, width: int, emphasis: str, target: Target, glyphs: Glyphs) -> Line:
    """The row behind the cursor's cell.

    Args:
        one: The watch.
        width: Cells that there are.
        emphasis: The role of the row under the cursor; empty elsewhere.
        target: What the sign stands for when it is clicked.
        glyphs: The characters there are.
    """
    on = one.watch.enabled
    sign = Span(f" {glyphs.breakpoint if on else glyphs.switched_off} ", "accent" if on else "dim", target)
    room = width - cell_len(sign.text)
    expression = plain(one.watch.expression)
    if one.problem or not on:
        words = plain(one.problem) or "off"
        tail = shortened(words, max(0, room - min(cell_len(expression), _LEAST) - 2), glyphs.ellipsis)
        name = shortened(expression, max(0, room - cell_len(tail) - 2), glyphs.ellipsis)
        return (
            sign,
            Span(name, emphasis or ("" if on else "dim")),
            Span(f"  {tail}", "error" if one.problem else "dim"),
        )
    value = shortened(plain(one.words or "not yet"), max(_FIGURE, room // 2), glyphs.ellipsis)
    every = f"  every {count(one.every)}" if one.every > 1 else ""
    if room - max(_FIGURE, cell_len(value)) - cell_len(every) - 2 < _LEAST:
        every = ""
    history = max(0, min(_BARS, room - cell_len(expression) - max(_FIGURE, cell_len(value)) - cell_len(every) - 4))
    spark = sparkline(one.series, history, glyphs) if history >= 4 else ""
    left = room - max(_FIGURE, cell_len(value)) - cell_len(spark) - cell_len(every) - 4
    return (
        sign, Span(padded(expression, max(_LEAST, min(left, cell_len(expression))), glyphs.ellipsis), emphasis),
        Span(f"  {value:<{_FIGURE}}", emphasis or ("number" if one.words else "dim")),
        Span(f" {spark}" if spark else "", "chart.1"), Span(every, "dim"),
    )  # fmt: skip
