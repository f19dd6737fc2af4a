"""Pixels as lines of text: two rows of them in a line by half blocks, or a character each where colours are lacking.

A pixel is a tone (see `stepdbg.tui.drawing.tones`): `d3`, `g7`, `#48c`, `nan`; an empty one is nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from stepdbg.tui.drawing.lines import Glyphs, Line, Span, Target

RAMP = " .:-=+*#%@"
"""Levels where a terminal has no colours, from low to high."""
SIGNS = {"nan": "!", "inf": "^", "-inf": "v"}
Grid = list[list[str]]
_LEVELS = 16

TargetAt = Callable[[int, int], Target | None]
"""What a pixel of a grid, by row and column, stands for when it is clicked."""


def enlarged(rows: Sequence[Sequence[str]], wide: int, high: int) -> Grid:
    """Each pixel as so many columns and rows of them."""
    return [[tone for tone in row for _ in range(wide)] for row in rows for _ in range(high)]


def shaded(grid: Grid, glyphs: Glyphs, target: TargetAt) -> list[Line]:
    """The lines of a grid; without half blocks a line for each of its rows."""
    if not glyphs.half_blocks:
        return [tuple(_letter(tone, target(y, x)) for x, tone in enumerate(row)) for y, row in enumerate(grid)]
    lines: list[Line] = []
    for y in range(0, len(grid), 2):
        below = grid[y + 1] if y + 1 < len(grid) else [""] * len(grid[y])
        pairs = zip(grid[y], below, strict=True)
        lines.append(tuple(_halves(upper, lower, target(y, x)) for x, (upper, lower) in enumerate(pairs)))
    return lines


def legend(scale: str, glyphs: Glyphs) -> Line:
    """All levels of a scale side by side, from low to high."""
    if not glyphs.half_blocks:
        return (Span(f"[{RAMP}]", "number"),)
    return tuple(Span("▌", f"tone:{scale}{level}:{scale}{level + 1}") for level in range(0, _LEVELS, 2))


def _halves(upper: str, lower: str, target: Target | None) -> Span:
    odd = upper if upper in SIGNS else lower if lower in SIGNS else ""
    if odd:  # a sign needs the whole cell; the other half stays behind it
        other = lower if odd == upper else upper
        return Span(SIGNS[odd], f"tone:{odd}:{'' if other in SIGNS else other}", target)
    if upper == lower:
        return Span(" ", f"tone::{upper}" if upper else "", target)
    if not upper:
        return Span("▄", f"tone:{lower}:", target)
    return Span("▀", f"tone:{upper}:{lower}", target)


def _letter(tone: str, target: Target | None) -> Span:
    if tone in SIGNS:
        return Span(SIGNS[tone], "error", target)
    if tone.startswith("here"):
        return Span(letter_of(tone[4:]), "cell.here", target)
    return Span(letter_of(tone), "number" if tone else "", target)


def letter_of(tone: str) -> str:
    """The character for a tone."""
    if tone in SIGNS:
        return SIGNS[tone]
    if tone.startswith("#"):
        red, green, blue = (int(digit, 16) for digit in tone[1:4])
        level = round(0.3 * red + 0.59 * green + 0.11 * blue)
    elif tone[1:].isdigit():
        level = int(tone[1:])
    else:
        return " "
    return RAMP[level * len(RAMP) // _LEVELS]
