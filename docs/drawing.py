"""A terminal's screen as SVG, cell by cell, as a terminal emulator shows it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from xml.sax.saxutils import escape

import pyte.screens
from harness.screen import EmulatedScreen

WIDTH, HEIGHT, FONT = 8.43, 18, 14
"""Of a cell, and of the letters, in pixels."""
MARGIN = 12
INK, PAPER = "#d8dee9", "#121212"
NAMED = {
    "black": "#1c1f26", "red": "#e06c75", "green": "#98c379", "brown": "#d19a66", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#d8dee9", "brightblack": "#5c6370", "brightred": "#e88388",
    "brightgreen": "#a9d18e", "brightbrown": "#e5c07b", "brightblue": "#7cc0f4", "brightmagenta": "#d291e4",
    "brightcyan": "#73c7d1", "brightwhite": "#ffffff",
}  # fmt: skip


def svg(screen: EmulatedScreen, title: str) -> str:
    """The screen as a picture: one rectangle per run of a background, one text per run of a style."""
    columns, rows = screen.columns, screen.lines
    wide, high = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" '
        f'width="{wide:.0f}" height="{high:.0f}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{PAPER}"/>',
        f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{FONT}">',
    ]
    for row in range(rows):
        parts += _row(screen, row)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _row(screen: EmulatedScreen, row: int) -> Iterator[str]:
    cells = [(column, screen.buffer[row][column]) for column in range(screen.columns)]
    top = MARGIN + row * HEIGHT
    for (ink, paper, bold, italic, underlined), run in groupby(cells, key=lambda cell: _style(cell[1])):
        found = list(run)
        left = MARGIN + found[0][0] * WIDTH
        if paper != PAPER:
            wide = len(found) * WIDTH + 0.3
            yield f'<rect x="{left:.2f}" y="{top}" width="{wide:.2f}" height="{HEIGHT}" fill="{paper}"/>'
        for column, cell in found:
            yield from _shape(cell.data, MARGIN + column * WIDTH, top, ink)
        drawn = [(column, cell.data) for column, cell in found if cell.data.strip() and not _is_shape(cell.data)]
        if drawn:
            places = " ".join(f"{MARGIN + column * WIDTH:.1f}" for column, _ in drawn)
            style = ' font-weight="bold"' if bold else ""
            style += ' font-style="italic"' if italic else ""
            style += ' text-decoration="underline"' if underlined else ""
            text = escape("".join(letter for _, letter in drawn))
            yield f'<text x="{places}" y="{top + HEIGHT - 5}" fill="{ink}"{style}>{text}</text>'


def _is_shape(letter: str) -> bool:
    return len(letter) == 1 and ("\u2581" <= letter <= "\u2588" or "\u2800" <= letter <= "\u28ff")


def _shape(letter: str, left: float, top: float, ink: str) -> Iterator[str]:
    """Blocks and braille are drawn, since many fonts lack them."""
    if not _is_shape(letter):
        return
    if letter <= "\u2588":
        high = (ord(letter) - 0x2580) / 8 * HEIGHT
        place = f'x="{left:.2f}" y="{top + HEIGHT - high:.2f}" width="{WIDTH + 0.3:.2f}" height="{high:.2f}"'
        yield f'<rect {place} fill="{ink}"/>'
        return
    for bit, (column, row) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
        if (ord(letter) - 0x2800) >> bit & 1:
            x, y = left + (column + 0.5) * WIDTH / 2, top + (row + 0.5) * HEIGHT / 4
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="1.3" fill="{ink}"/>'


def _style(cell: pyte.screens.Char) -> tuple[str, str, bool, bool, bool]:
    ink = INK if cell.fg == "default" else NAMED.get(cell.fg, f"#{cell.fg}")
    paper = PAPER if cell.bg == "default" else NAMED.get(cell.bg, f"#{cell.bg}")
    if cell.reverse:
        ink, paper = paper, ink
    return ink, paper, cell.bold, cell.italics, cell.underscore
