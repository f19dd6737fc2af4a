"""Text that can be read: at least the contrast that WCAG 2.1 asks for (success criterion 1.4.3), on any theme."""

from __future__ import annotations

from textual.color import Color

LEAST = 4.5
"""The contrast ratio of text of ordinary size with what is behind it."""
_STEP = 0.04
"""How much nearer to white or black a colour is moved at a time."""


def luminance(colour: Color) -> float:
    """Relative luminance, 0 to 1, by WCAG 2.1."""
    red, green, blue = (_linear(channel / 255) for channel in colour.rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)


def ratio(ink: Color, paper: Color) -> float:
    """The contrast ratio of two colours, 1 to 21."""
    dark, light = sorted((luminance(ink), luminance(paper)))
    return (light + 0.05) / (dark + 0.05)


def legible(ink: Color, paper: Color) -> Color:
    """The colour itself where it can be read on that paper, else the nearest one towards white or black that can."""
    white, black = Color(255, 255, 255), Color(0, 0, 0)
    end = white if ratio(white, paper) >= ratio(black, paper) else black
    found, moved = ink, 0.0
    while ratio(found, paper) < LEAST and moved < 1:
        moved = min(1.0, moved + _STEP)
        found = ink.blend(end, moved)
    return found
