"""How the Tensor panel divides its place: which heads, and then numbers, heat maps, both, or pictures."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from stepdbg.protocol.messages import Side, TensorView
from stepdbg.tui.drawing.lines import Frame
from stepdbg.tui.panels.tensor import columns as beside
from stepdbg.tui.panels.tensor import heatmap as heat
from stepdbg.tui.panels.tensor import images as pictures
from stepdbg.tui.panels.tensor.change import change_of

Mode = Literal["numbers", "map", "both", "beside", "pictures"]
CELL = 10
"""Cells of the terminal that a number takes, with the space before it."""
MOST_BINS = 48
_BOTH = 14
"""Lines below the heads from which on maps and numbers are shown together, one above the other."""
_ASIDE = 8
"""Lines below the heads from which on they are shown together, side by side."""
APART = 2
"""Cells between numbers and the maps to the right of them."""
_NUMBERS = 4
"""Lines of numbers that are kept below maps."""


class Layout(NamedTuple):
    """The panel's division."""

    mode: Mode
    parts: bool
    """Whether the table of parts is shown."""
    histogram: bool
    rows: int
    """Numbers that fit, downwards; 0 where none are shown."""
    columns: int
    """Numbers that fit across."""
    bins: int
    own: bool = False
    """Whether the slice, or what was before, has a line of figures of its own."""
    change: bool = False
    """Whether the last change is told of."""
    maps: heat.Plan | None = None
    aside: int = 0
    """Cells that the numbers take where maps stand to the right of them; 0 where they stand above, or alone."""
    strip: pictures.Strip | None = None


def modes(view: TensorView | None) -> tuple[Mode, ...]:
    """What there is to choose from; of a single number there is no picture."""
    if view is not None and math.prod(view.shape) == 1:
        return ("numbers",)
    if view is not None and not view.where and pictures.images_in(view) is not None:
        return ("numbers", "map", "both", "pictures")
    if view is not None and len(beside.columns(view)) > 1:
        return ("numbers", "map", "both", "beside")
    return ("numbers", "map", "both")


def divided(
    frame: Frame, view: TensorView | None, part: str, mode: Mode | None, total_rows: int = 1, side: Side = "now"
) -> Layout:
    """The division.

    Args:
        frame: The panel's place.
        view: The tensor, where it is known.
        part: The label of the part that is shown.
        mode: What the user wants to see; None: what suits the tensor and the place.
        total_rows: Of the table, for the width of the row numbers.
        side: Whether it is shown as it is, as it was, or the difference.
    """
    number = len(heat.parts_of(view)) if view is not None else 1
    own, change = view is not None and bool(view.where or side != "now"), change_of(view, part) is not None
    number += own + change
    heads = ((1 + number + 2, True, True), (1 + number, True, False), (0, False, False))
    if len(modes(view)) == 1:
        heads = (heads[1], heads[1], heads[2])
    gutter = max(5, len(str(total_rows)) + 2)
    aside = _aside(view, frame.width, gutter)
    shown = _mode(view, mode, frame.height - heads[0][0], _ASIDE if aside else _BOTH)
    least = {"numbers": 4, "beside": 4, "map": 8, "both": _ASIDE if aside else 11, "pictures": 9}[shown]
    if shown in ("numbers", "beside"):  # the histogram gives way first, then the table of parts
        heads = (heads[0], (1 + number, True, False), heads[2])
    head, parts, histogram = next((one for one in heads if frame.height >= one[0] + least), heads[-1])
    room = max(1, frame.height - head)
    across = max(1, (frame.width - gutter) // CELL)
    bins = min(MOST_BINS, max(8, frame.width - 30)) if histogram else 0
    found = Layout(shown, parts, histogram, max(1, room - 1), across, bins, own and parts, change and parts)
    if view is None or shown in ("numbers", "beside"):
        return found
    if shown == "pictures":
        images = pictures.images_in(view)
        assert images is not None  # or the mode would be another
        return found._replace(rows=0, strip=pictures.strip(images, frame.width, room, frame.glyphs))
    if shown == "both" and aside:
        return found._replace(aside=aside, maps=heat.plan(view, part, frame.width - aside, room, frame.glyphs))
    place = room if shown == "map" else room - max(_NUMBERS, room // 3)
    planned = heat.plan(view, part, frame.width, place, frame.glyphs)
    if shown == "map":
        return found._replace(rows=0, maps=planned)
    return found._replace(rows=max(1, room - planned.lines - 1), maps=planned)


def _aside(view: TensorView | None, width: int, gutter: int) -> int:
    """Cells that the numbers take, where all columns of them leave room for a map to their right; else 0."""
    if view is None:
        return 0
    wide = gutter + heat.size_of(view.shape)[1] * CELL + APART
    return wide if width - wide >= heat.NARROWEST else 0


def _mode(view: TensorView | None, mode: Mode | None, room: int, both: int) -> Mode:
    """What is shown: as chosen, or what suits; maps and numbers together in so many lines as `both` at least."""
    available = modes(view)
    if mode in available:
        return mode
    if view is None or len(available) == 1 or 0 in view.shape:
        return "numbers"
    if not view.where and pictures.at_first_sight(view):
        return "pictures"
    return "both" if room >= both else "numbers"
