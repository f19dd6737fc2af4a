"""Writes the cells that changed, and nothing beside them.

Textual 8.2 writes a changed region of a widget from the widget's left edge up to the region's right end
(`ChopsUpdate.render_segments` crops from 0), so that one figure at the end of a line costs the whole line. Over a slow
link that is most of a step's bytes.
"""

from __future__ import annotations

from rich.console import Console, RenderableType
from rich.control import Control
from textual._compositor import ChopsUpdate


class ChangedCells(ChopsUpdate):
    """An update of the screen that writes exactly its spans."""

    @classmethod
    def of(cls, update: RenderableType | None) -> RenderableType | None:
        """The same update, written sparingly; whatever is no partial update is left as it is."""
        if type(update) is ChopsUpdate:
            return cls(update.chops, update.spans, update.chop_ends)
        return update

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal: per span a move and the cells in it."""
        written: list[str] = []
        for y, first, last in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(start, first), min(end, last)
                if strip is None or left >= right:
                    continue
                written.append(Control.move_to(left, y).segment.text)
                written.append(strip.crop(left - start, right - start).render(console))
        return "".join(written)
