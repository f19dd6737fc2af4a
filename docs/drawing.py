"""A terminal's screen as SVG, as a terminal emulator shows it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import pyte.screens
from harness.screen import EmulatedScreen
from rich.color import Color
from rich.segment import Segment
from rich.style import Style
from rich.terminal_theme import TerminalTheme

from stepdbg.tui.drawing import picture

INK, PAPER = "#d8dee9", "#121212"
NAMED = {
    "black": "#1c1f26", "red": "#e06c75", "green": "#98c379", "brown": "#d19a66", "blue": "#61afef",
    "magenta": "#c678dd", "cyan": "#56b6c2", "white": "#d8dee9", "brightblack": "#5c6370", "brightred": "#e88388",
    "brightgreen": "#a9d18e", "brightbrown": "#e5c07b", "brightblue": "#7cc0f4", "brightmagenta": "#d291e4",
    "brightcyan": "#73c7d1", "brightwhite": "#ffffff",
}  # fmt: skip
_ANSI = [tuple(Color.parse(color).get_truecolor()) for color in NAMED.values()]
THEME = TerminalTheme(
    tuple(Color.parse(PAPER).get_truecolor()), tuple(Color.parse(INK).get_truecolor()), _ANSI[:8], _ANSI[8:]
)
"""The colours of the terminal that the pictures show."""


def svg(screen: EmulatedScreen, title: str) -> str:
    """The screen as a picture."""
    lines = [_segments(screen, row) for row in range(screen.lines)]
    return picture.svg(lines, screen.columns, screen.lines, title, THEME)


def _segments(screen: EmulatedScreen, row: int) -> Iterator[Segment]:
    cells = [screen.buffer[row][column] for column in range(screen.columns)]
    for style, run in groupby(cells, key=_style):
        yield Segment("".join(cell.data for cell in run), style)


def _style(cell: pyte.screens.Char) -> Style:
    return Style(
        color=None if cell.fg == "default" else NAMED.get(cell.fg, f"#{cell.fg}"),
        bgcolor=None if cell.bg == "default" else NAMED.get(cell.bg, f"#{cell.bg}"),
        bold=cell.bold,
        italic=cell.italics,
        underline=cell.underscore,
        reverse=cell.reverse,
    )
