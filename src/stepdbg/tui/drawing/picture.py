"""The screen as SVG, cell by cell: every letter has its own place, so that columns hold in any viewer and font."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from xml.sax.saxutils import escape

from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import SVG_EXPORT_THEME, TerminalTheme

from stepdbg.tui.drawing.cells import cell_len

WIDTH, HEIGHT, FONT = 8.43, 18, 14
"""A cell's width and height and the letters' size, in pixels."""
MARGIN = 12


def svg(
    lines: Iterable[Iterable[Segment]], columns: int, rows: int, title: str, theme: TerminalTheme = SVG_EXPORT_THEME
) -> str:
    """The picture.

    Args:
        lines: Each row of the screen as segments.
        columns: Cells of a row.
        rows: Rows.
        title: What the picture is called.
        theme: The terminal's own colours.
    """
    wide, high = columns * WIDTH + 2 * MARGIN, rows * HEIGHT + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide:.0f} {high:.0f}" '
        f'width="{wide:.0f}" height="{high:.0f}">',
        f"<title>{escape(title)}</title>",
        f'<rect width="100%" height="100%" rx="8" fill="{_rgb(None, theme, front=False)}"/>',
        f'<g font-family="DejaVu Sans Mono, Menlo, Consolas, monospace" font-size="{FONT}" xml:space="preserve">',
    ]
    for row, line in enumerate(lines):
        parts += _row(line, MARGIN + row * HEIGHT, theme)
    return "\n".join([*parts, "</g>", "</svg>", ""])


def _row(line: Iterable[Segment], top: float, theme: TerminalTheme) -> Iterator[str]:
    column, background = 0, _rgb(None, theme, front=False)
    for segment in line:
        style = segment.style or Style.null()
        ink, paper = _rgb(style.color, theme, front=True), _rgb(style.bgcolor, theme, front=False)
        if style.reverse:
            ink, paper = paper, ink
        length = cell_len(segment.text)
        left = MARGIN + column * WIDTH
        if paper != background:
            wide = length * WIDTH + 0.3
            yield f'<rect x="{left:.2f}" y="{top}" width="{wide:.2f}" height="{HEIGHT}" fill="{paper}"/>'
        places, letters = [], []
        for letter in segment.text:
            x = MARGIN + column * WIDTH
            if "\u2580" <= letter <= "\u259f" or "\u2800" <= letter <= "\u28ff":
                yield from _shape(letter, x, top, ink)
            elif letter.strip():
                places.append(f"{x:.1f}")
                letters.append(letter)
            column += cell_len(letter)
        if letters:
            marks = ' font-weight="bold"' if style.bold else ""
            marks += ' font-style="italic"' if style.italic else ""
            marks += ' text-decoration="underline"' if style.underline else ""
            marks += ' opacity="0.65"' if style.dim else ""
            words = escape("".join(letters))
            yield f'<text x="{" ".join(places)}" y="{top + HEIGHT - 5}" fill="{ink}"{marks}>{words}</text>'


def _shape(letter: str, left: float, top: float, ink: str) -> Iterator[str]:
    """Blocks and braille are drawn, since many fonts lack them."""
    code = ord(letter)
    if code >= 0x2800:
        for bit, (x, y) in enumerate(((0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (0, 3), (1, 3))):
            if (code - 0x2800) >> bit & 1:
                yield (
                    f'<circle cx="{left + (x + 0.5) * WIDTH / 2:.1f}" cy="{top + (y + 0.5) * HEIGHT / 4:.1f}" '
                    f'r="1.3" fill="{ink}"/>'
                )
        return
    if letter == "▀":
        box = (left, top, WIDTH, HEIGHT / 2)
    elif code <= 0x2588:
        high = (code - 0x2580) / 8 * HEIGHT
        box = (left, top + HEIGHT - high, WIDTH, high)
    elif code <= 0x258F:
        box = (left, top, WIDTH * (0x2590 - code) / 8, HEIGHT)
    else:
        box = (left + WIDTH / 2, top, WIDTH / 2, HEIGHT)
    across, down, wide, high = box
    yield f'<rect x="{across:.2f}" y="{down:.2f}" width="{wide + 0.3:.2f}" height="{high:.2f}" fill="{ink}"/>'


def _rgb(color: Color | None, theme: TerminalTheme, *, front: bool) -> str:
    found = (color or Color.default()).get_truecolor(theme, foreground=front)
    return f"#{found.red:02x}{found.green:02x}{found.blue:02x}"
