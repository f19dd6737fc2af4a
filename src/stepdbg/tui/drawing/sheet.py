"""The base of every widget here: a sheet of lines that repaints only the cells that differ.

A step over a slow SSH link should cost the bytes of the few figures that moved. Textual repaints whole segments, so
a line that changes is cut into segments exactly where the changed cells begin and end.
"""

from __future__ import annotations

from collections.abc import Iterable

from rich.cells import get_character_cell_size
from rich.segment import Segment
from textual import events
from textual.geometry import Region
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from stepdbg.printable import narrow, printable
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import Line, Target, target_at
from stepdbg.tui.drawing.palette import Palette

Cell = tuple[str, str]
"""A character and its role; the right half of a wide character is an empty string."""
_GAP = 6
"""Runs of changed cells that lie closer than this are painted as one: a cursor movement costs as much."""


class Sheet(Widget):
    """Lines from a view, painted with few bytes."""

    DEFAULT_CSS = """
    Sheet { width: 1fr; height: 1; background: $background; }
    """

    class TargetClicked(Message):
        """Something on the sheet was clicked that stands for something."""

        def __init__(self, sheet: Sheet, target: Target) -> None:
            super().__init__()
            self.sheet = sheet
            self.target = target

    def __init__(self, palette: Palette, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self._palette = palette
        self._lines: list[Line] = []
        self._strips: list[Strip] = []
        self._drawn_for = (-1, -1)

    def lines(self, width: int, height: int) -> Iterable[Line]:
        """What to show in so many cells; every sheet says it."""
        raise NotImplementedError

    def repaint(self) -> None:
        """Draw anew, and have only the cells repainted that are not as they were."""
        width, height = self.size
        if width <= 0 or height <= 0 or not self.is_attached:
            self._drawn_for = (-1, -1)  # it is drawn as soon as there is room for it
            return
        fresh = [*self.lines(width, height)][:height]
        fresh += [()] * (height - len(fresh))
        if self._drawn_for != (width, height):
            self._drawn_for = (width, height)
            self._lines = fresh
            self._strips = [strip_of(cells_of(line, width), (), self._palette) for line in fresh]
            self.refresh()
            return
        regions = []
        for y, (before, after) in enumerate(zip(self._lines, fresh, strict=True)):
            if before == after:
                continue
            cells = cells_of(after, width)
            runs = changed_runs(cells_of(before, width), cells, self._palette)
            edges = tuple(edge for run in runs for edge in run)
            self._strips[y] = strip_of(cells, edges, self._palette)
            self._lines[y] = after
            regions += [Region(start, y, end - start, 1) for start, end in runs]
        if regions:
            self.refresh(*regions)

    def recolour(self, palette: Palette) -> None:
        """Take another palette and paint everything."""
        self._palette = palette
        self._drawn_for = (-1, -1)
        self.repaint()

    def render_line(self, y: int) -> Strip:
        """One line as Textual asks for it."""
        if self._drawn_for != tuple(self.size):
            self.repaint()
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(self.size.width, self._palette.painted(""))

    def text(self) -> str:
        """What the sheet shows, for tests and for copying."""
        return "\n".join("".join(span.text for span in line).rstrip() for line in self._lines)

    def on_resize(self, event: events.Resize) -> None:
        """A new size needs every line."""
        self.repaint()

    def on_click(self, event: events.Click) -> None:
        """Tell what was clicked, where the line says what it is."""
        if event.y < len(self._lines) and (target := target_at(self._lines[event.y], event.x)) is not None:
            self.post_message(self.TargetClicked(self, target))


def cells_of(line: Line, width: int) -> list[Cell]:
    """The line cell by cell, filled with blanks to the width. Whatever a name holds, it passes the gate here."""
    cells: list[Cell] = []
    for words, role, _ in line:
        if narrow(words):
            cells.extend((character, role) for character in words)
            continue
        for character in printable(words):
            wide = get_character_cell_size(character)
            if wide == 0:
                if cells:
                    place = -1 if cells[-1][0] or len(cells) == 1 else -2  # not on the right half of a wide one
                    cells[place] = (cells[place][0] + character, cells[place][1])
                continue
            cells.append((character, role))
            if wide == 2:
                cells.append(("", role))
    if len(cells) > width:
        del cells[width:]
        # Half of a wide character cannot be shown.
        if cells and cell_len(cells[-1][0]) == 2:
            cells[-1] = (" ", cells[-1][1])
    cells.extend([(" ", "")] * (width - len(cells)))
    return cells


def changed_runs(before: list[Cell], after: list[Cell], palette: Palette) -> list[tuple[int, int]]:
    """The runs of cells, as start and end, that do not look as they did."""
    runs: list[tuple[int, int]] = []
    for x, (old, new) in enumerate(zip(before, after, strict=True)):
        if old == new or (
            old[0] == new[0] == " " and not palette.paints_blanks(old[1]) and not palette.paints_blanks(new[1])
        ):
            continue
        start = x - 1 if new[0] == "" and x else x
        end = x + 2 if cell_len(new[0]) == 2 else x + 1
        if runs and start - runs[-1][1] <= _GAP:
            runs[-1] = (runs[-1][0], max(end, runs[-1][1]))
        else:
            runs.append((start, end))
    return [(start, min(end, len(after))) for start, end in runs]


def strip_of(cells: list[Cell], edges: tuple[int, ...], palette: Palette) -> Strip:
    """The cells as few segments, cut at `edges` and where the look changes; blanks go with what is before them."""
    segments: list[Segment] = []
    cuts = set(edges)
    words: list[str] = []
    current: str | None = None
    for x, (character, role) in enumerate(cells):
        joins = current is not None and (
            role == current
            or (character == " " and not palette.paints_blanks(role) and not palette.paints_blanks(current))
        )
        if current is None or x in cuts or not joins:
            if words and current is not None:
                segments.append(Segment("".join(words), palette.painted(current)))
            words, current = [], role
        words.append(character)
    if words and current is not None:
        segments.append(Segment("".join(words), palette.painted(current)))
    return Strip(segments, len(cells))
