"""Writes the cells that changed, and nothing beside them: neither more bytes nor anything that a terminal would obey.

Textual 8.2 writes a changed region of a widget from the widget's left edge up to the region's right end
(`ChopsUpdate.render_segments` crops from 0), so that one figure at the end of a line costs the whole line. Over a slow
link that is most of a step's bytes. It also names every colour anew for each run of cells and resets it after, of which
only the differences are written here: in a heat map, where each cell is a run, that is a third.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from rich.console import Console, RenderableType
from rich.control import Control
from rich.segment import Segment
from textual._compositor import ChopsUpdate, LayoutUpdate
from textual.strip import Strip

from stepdbg.printable import ordinary, printable
from stepdbg.tui.drawing.cells import set_cell_size


def gated(update: RenderableType | None) -> RenderableType | None:
    """The same update of the screen, written sparingly, with nothing in it that a terminal would obey.

    The sheets have passed the gate already, cell by cell; this one is for what Textual's own widgets make of the words
    of others: notices, dialogs, the palette, inputs that something was pasted into.
    """
    if type(update) is ChopsUpdate:
        return ChangedCells(update.chops, update.spans, update.chop_ends)
    if type(update) is LayoutUpdate:
        return WholeScreen(update.strips, update.region)
    return update


class WholeScreen(LayoutUpdate):
    """An update of the whole screen."""

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal, line after line."""
        written: list[str] = []
        for y, line in enumerate(self.strips, self.region.y):
            x = self.region.x
            written.append(Control.move_to(x, y).segment.text)
            for strip in line:
                written.append(rendered(strip, x, y, console))
                x += strip.cell_length
        return "".join(written)


class ChangedCells(ChopsUpdate):
    """An update of the screen that writes exactly its spans."""

    def render_segments(self, console: Console) -> str:
        """The bytes for the terminal: per span a move and the cells in it."""
        written: list[str] = []
        for y, first, last in self.spans:
            for end, (start, strip) in zip(self.chop_ends[y], self.chops[y].items(), strict=False):
                left, right = max(start, first), min(end, last)
                if strip is None or left >= right:
                    continue
                written.append(Control.move_to(left, y).segment.text)
                written.append(rendered(strip.crop(left - start, right - start), left, y, console))
        return spared("".join(written))


def rendered(strip: Strip, x: int, y: int, console: Console) -> str:
    """The bytes of a strip that begins at that cell, through the gate.

    Where terminals differ over the width of a character, blanks are written first, and what follows is moved to where
    it belongs: a terminal that draws it narrower leaves no remains, one that draws it wider shifts nothing.
    """
    if ordinary(strip.text):
        return strip.render(console)
    written: list[str] = []
    for text, style, control in strip:
        if control:
            continue
        width = Segment(text).cell_length
        if ordinary(text):
            written.append(Strip([Segment(text, style)]).render(console))
        elif width:
            here = Control.move_to(x, y).segment.text
            shown = Segment(set_cell_size(printable(text), width), style)
            blank, drawn = (Strip([one]).render(console) for one in (Segment(" " * width, style), shown))
            written += [blank, here, drawn, Control.move_to(x + width, y).segment.text]
        x += width
    return "".join(written)


class _Look(NamedTuple):
    """What characters are written in, as parameters of SGR sequences."""

    attributes: tuple[str, ...] = ()
    front: str = ""
    back: str = ""


_SEQUENCE = re.compile(r"\x1b\[([0-9;]*)([mH])")


def spared(written: str) -> str:
    """The same cells with the fewest sequences: a colour is named where it differs from that of the cell before."""
    kept: list[str] = []
    have = want = _Look()
    place = 0
    for found in _SEQUENCE.finditer(written):
        if found.start() > place:
            kept += [_from(have, want), written[place : found.start()]]
            have = want
        place = found.end()
        if found[2] == "H":
            kept.append(found[0])
        else:
            want = _after(want, found[1])
    if place < len(written):
        kept += [_from(have, want), written[place:]]
        have = want
    kept.append(_from(have, _Look()))
    return "".join(kept)


def _after(look: _Look, parameters: str) -> _Look:
    """The look after a sequence."""
    if parameters in ("", "0"):
        return _Look()
    codes = iter(parameters.split(";"))
    for code in codes:
        if code in ("38", "48"):
            kind = next(codes, "5")
            colour = ";".join([code, kind, *(next(codes, "0") for _ in range(1 if kind == "5" else 3))])
            look = look._replace(front=colour) if code == "38" else look._replace(back=colour)
        elif code == "0":
            look = _Look()
        else:
            look = look._replace(attributes=(*look.attributes, code))
    return look


def _from(have: _Look, want: _Look) -> str:
    """What turns one look into another."""
    if have == want:
        return ""
    lost = have.attributes != want.attributes or (have.front and not want.front) or (have.back and not want.back)
    if lost:
        if want == _Look():
            return "\x1b[0m"
        start = ["0"] if have != _Look() else []
        return f"\x1b[{';'.join([*start, *want.attributes, *filter(None, (want.front, want.back))])}m"
    differing = [new for old, new in zip(have[1:], want[1:], strict=True) if new != old]
    return f"\x1b[{';'.join(differing)}m"
