"""Where the panels go at a size of the terminal: three columns, two, one panel with tabs, or none at all.

Columns are cut into slots. A slot holds one panel or several, of which the one that was gone to last is in front; the
others are named in its title, by their numbers. All of it is pure: sizes in, boxes out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple

from stepdbg.tui.panel_base.registry import OWN_PLACE, Place

WIDE = (140, 40)
"""Columns and rows from which on there are three columns."""
MEDIUM = (100, 30)
"""Columns and rows from which on there are two."""
STRIP = 30
"""Rows from which on the top has a line more, for the strip of the timeline."""

Kind = Literal["wide", "medium", "tabs", "tiny"]


class Slot(NamedTuple):
    """A stretch of a column."""

    panels: tuple[str, ...]
    """The panels that share the slot, in the order in which its title names them."""
    share: int
    """How much of the column's height it takes."""


class Column(NamedTuple):
    """A column of slots."""

    slots: tuple[Slot, ...]
    share: int
    """How much of the width it takes."""


def _columns(places: Mapping[str, Place], *columns: tuple[int, Sequence[int]]) -> tuple[Column, ...]:
    """The columns of a layout: the share of each in the width, and those of its slots in the height."""
    return tuple(
        Column(
            tuple(
                Slot(tuple(name for name, place in places.items() if place == (number, row)), share)
                for row, share in enumerate(shares)
            ),
            width,
        )
        for number, (width, shares) in enumerate(columns)
    )


COLUMNS: dict[Kind, tuple[Column, ...]] = {
    "wide": _columns({spec.name: spec.wide for spec in OWN_PLACE}, (53, (7, 3)), (62, (4, 5)), (43, (5, 4, 4))),
    "medium": _columns({spec.name: spec.medium for spec in OWN_PLACE}, (1, (3, 2)), (1, (1, 1))),
}
"""The layouts with columns, left to right and top to bottom; which panels stand in a slot is said by their rows. In the
wide one, at 160 columns, the Model panel has room for Δ/‖w‖, and the owners of a tensor for
`optimizer.param_groups[0]["params"][0]`."""
GAP = 1
"""Cells between two columns."""


class Box(NamedTuple):
    """Where a panel stands below the top, in cells."""

    x: int
    y: int
    width: int
    height: int
    slot_panels: tuple[str, ...] = ()
    """The panels that share the slot, the one that is seen among them; empty where there is only that one."""


class Arrangement(NamedTuple):
    """How the screen is divided."""

    kind: Kind
    top: int
    """Lines for header, rail, the strip of the timeline and the sentence."""
    hidden: str = ""
    """What there is no room for, in words."""


def arranged(
    width: int, height: int, zoomed: bool = False, *, ranks: bool = False, watches: bool = False
) -> Arrangement:
    """The arrangement for a terminal of that size; it never refuses.

    Args:
        width: Columns.
        height: Rows.
        zoomed: One panel alone, however much room there is.
        ranks: The top has a line more, for the ranks.
        watches: The top has a line more, for what is watched, where there is room for a sentence.
    """
    more = ranks + (watches and height >= 14)
    strip = height >= STRIP
    if width >= WIDE[0] and height >= WIDE[1]:
        return Arrangement("tabs" if zoomed else "wide", 7 + strip + more)
    if width >= MEDIUM[0] and height >= MEDIUM[1]:
        return Arrangement("tabs" if zoomed else "medium", 7 + strip + more)
    if height >= 20:
        return Arrangement("tabs", 7 + strip + more)
    if height >= 9 and width >= 24:
        return Arrangement("tabs", (3 if height < 14 else 6) + more)
    hidden = f"hidden: panels ({width}x{height})" if width >= 28 else "hidden: panels"
    return Arrangement("tiny", max(1, height - 1), hidden)


def boxes(kind: Kind, width: int, height: int, recent: Sequence[str]) -> dict[str, Box]:
    """The panels that are seen, and where.

    Args:
        kind: The layout.
        width: Columns of the room below the top.
        height: Its rows.
        recent: The panels that there are, the one that was gone to last first.
    """
    if kind == "tiny" or not recent:
        return {}
    if kind == "tabs":
        return {recent[0]: Box(0, 0, width, height)}
    found: dict[str, Box] = {}
    columns = [column for column in COLUMNS[kind] if any(_known(slot, recent) for slot in column.slots)]
    x = 0
    widths = _divided(width - GAP * (len(columns) - 1), [column.share for column in columns])
    for column, wide in zip(columns, widths, strict=True):
        slots = [(_known(slot, recent), slot.share) for slot in column.slots if _known(slot, recent)]
        y = 0
        for (panels, _), high in zip(slots, _divided(height, [share for _, share in slots]), strict=True):
            front = min(panels, key=list(recent).index)
            found[front] = Box(x, y, wide, high, panels if len(panels) > 1 else ())
            y += high
        x += wide + GAP
    return found


def _known(slot: Slot, recent: Sequence[str]) -> tuple[str, ...]:
    return tuple(panel for panel in slot.panels if panel in recent)


def _divided(cells: int, shares: Sequence[int]) -> list[int]:
    """Cells shared out in whole numbers that add up."""
    edges = [cells * sum(shares[:count]) // sum(shares) for count in range(len(shares) + 1)]
    return [max(0, end - start) for start, end in pairwise(edges)]


def order(panels: Sequence[str], recent: Sequence[str]) -> list[str]:
    """The panels that there are by when they were gone to, newest first; the others follow as they come in `panels`."""
    known = [panel for panel in dict.fromkeys(recent) if panel in panels]
    return known + [panel for panel in panels if panel not in known]
