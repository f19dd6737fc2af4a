"""Where the panels go at a size of the terminal: three columns, one panel with tabs, or none at all."""

from __future__ import annotations

from typing import Literal, NamedTuple

WIDE = (140, 40)
"""Columns and rows from which on all panels are shown together."""
STRIP = 30
"""Rows from which on the top has a line more, for the strip of the timeline."""
COLUMNS: tuple[tuple[str, ...], ...] = (
    ("source", "output"),
    ("model", "tensor"),
    ("effects", "optimizer", "loss", "breaks"),
)
"""The wide layout, left to right and top to bottom."""
SHARES = {
    "source": 5, "output": 3, "model": 4, "tensor": 5, "effects": 6, "optimizer": 4, "loss": 4, "breaks": 2,
}  # fmt: skip
"""How much of its column's height each panel takes."""


class Arrangement(NamedTuple):
    """How the screen is divided."""

    kind: Literal["wide", "tabs", "tiny"]
    top: int
    """Lines for header, rail, the strip of the timeline and the sentence."""
    hidden: str = ""
    """What there is no room for, in words."""


def arranged(width: int, height: int, zoomed: bool = False, *, ranks: bool = False) -> Arrangement:
    """The arrangement for a terminal of that size; it never refuses.

    Args:
        width: Columns.
        height: Rows.
        zoomed: One panel alone, however much room there is.
        ranks: The top has a line more, for the ranks.
    """
    strip = height >= STRIP
    if width >= WIDE[0] and height >= WIDE[1]:
        return Arrangement("tabs" if zoomed else "wide", 7 + strip + ranks)
    if height >= 20:
        return Arrangement("tabs", 7 + strip + ranks)
    if height >= 9 and width >= 24:
        return Arrangement("tabs", (3 if height < 14 else 6) + ranks)
    hidden = f"hidden: panels ({width}x{height})" if width >= 28 else "hidden: panels"
    return Arrangement("tiny", max(1, height - 1), hidden)
