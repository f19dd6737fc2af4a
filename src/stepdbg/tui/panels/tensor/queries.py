"""What the Tensor panel asks, from what it looks at and where its cursor is."""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import LookAt, LookAtMaps, LookAtPictures, LookBeside, Pool, Side
from stepdbg.tui.panels.tensor import columns as beside
from stepdbg.tui.panels.tensor import heatmap as heat
from stepdbg.tui.panels.tensor.images import Strip
from stepdbg.tui.panels.tensor.layout import Layout
from stepdbg.tui.panels.tensor.slots import BESIDE, MAPS, PART, PICTURES, TENSOR
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.snapshot import Snapshot


class Place(NamedTuple):
    """What the panel looks at, and where its cursor is."""

    object: str
    part: str
    """The object that the part is which is shown in full."""
    top: int
    """The first row in view."""
    left: int
    """The first column in view."""
    row: int
    """The row of the cursor."""
    column: int
    """The column of the cursor."""
    pool: Pool
    side: Side
    where: str
    """The slice that is shown; empty for the whole."""


def queries(snapshot: Snapshot, at: Place, layout: Layout, *, whole: bool) -> list[PanelQuery]:
    """The figures of all parts, and of the one that is shown what is in view: numbers, maps, pictures.

    Args:
        snapshot: What is known.
        at: What is looked at.
        layout: How the panel is divided.
        whole: The part that is shown is the tensor itself.
    """
    if whole:
        found = [PanelQuery(TENSOR, _look(at.object, at, layout), snapshot.boundary)]
    else:
        part = _look(at.part, at, layout, statistics=False)
        found = [
            PanelQuery(TENSOR, LookAt(at.object, where=at.where), snapshot.boundary),
            PanelQuery(PART, part, snapshot.boundary),
        ]
    view = snapshot.answer(TENSOR)
    if view is None or view.object != at.object:
        return found
    if layout.maps is not None:
        index, row = heat.slice_at(view.shape, at.row)
        names = tuple(part.object for part in layout.maps.parts)
        maps = layout.maps
        query = LookAtMaps(
            names, index, maps.tiles, maps.rows, maps.columns, row, at.column, at.pool, at.side, at.where
        )
        found.append(PanelQuery(MAPS, query, snapshot.boundary))
    if layout.mode == "beside":
        shown = tuple((name, side) for _, name, side in beside.columns(view))
        look = LookBeside(shown, at.top, layout.rows, at.column, at.where)
        found.append(PanelQuery(BESIDE, look, snapshot.boundary))
    if layout.strip is not None:
        found.append(PanelQuery(PICTURES, _images(at, layout.strip), snapshot.boundary))
    return found


def _images(at: Place, strip: Strip) -> LookAtPictures:
    images = strip.images
    return LookAtPictures(
        at.object,
        images.channels,
        images.height,
        images.width,
        first=at.row // images.rows // strip.number * strip.number,
        count=strip.number,
        rows=strip.rows,
        columns=strip.columns,
    )


def _look(name: str, at: Place, layout: Layout, *, statistics: bool = True) -> LookAt:
    """The window of numbers, or the one number under the cursor."""
    statistics = statistics or at.side != "now" or bool(at.where)
    if not layout.rows or layout.mode == "beside":
        return LookAt(name, at.row, 1, at.column, 1, statistics, layout.bins, at.side, at.where)
    return LookAt(name, at.top, layout.rows, at.left, layout.columns, statistics, layout.bins, at.side, at.where)
