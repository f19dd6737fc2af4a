"""The colours of heat maps and pictures, by level, from the 256 that a terminal names in few bytes.

A tone is a scale and a level: `d3` of the diverging scale, `s12` of the sequential one, `g7` of the greys, `#48c` a
colour of a picture, `nan` and its like. A role `tone:UPPER:LOWER` paints the two halves of a cell.
"""

from __future__ import annotations

from functools import lru_cache

from rich.color import Color, ColorType
from rich.color_triplet import ColorTriplet
from rich.style import Style

_COLD = ((235, 17, 18, 25, 32, 39, 81, 159), (254, 189, 153, 111, 75, 33, 26, 18))
"""Below zero, from near it outwards; on dark themes and on light ones."""
_WARM = ((235, 52, 88, 130, 166, 208, 215, 229), (254, 224, 217, 210, 203, 196, 160, 88))
_RISING = (
    (234, 17, 53, 54, 90, 89, 125, 161, 167, 203, 209, 215, 221, 227, 229, 230),
    (255, 230, 229, 222, 216, 215, 209, 203, 167, 161, 125, 89, 90, 54, 53, 17),
)
_GREYS = (16, 233, 234, 236, 237, 239, 240, 242, 243, 245, 247, 248, 250, 252, 254, 231)
_ODD = {"nan": (201, 127), "inf": (201, 127), "-inf": (201, 127), "here": (48, 28)}
"""What is not finite, and the cursor."""
_CUBE = (0, 95, 135, 175, 215, 255)


@lru_cache(maxsize=4096)
def tone_style(role: str, dark: bool) -> Style:
    """The style of a role `tone:UPPER:LOWER`; an empty tone leaves that half as it is."""
    _, upper, lower = role.split(":")
    return Style(color=_colour(upper, dark), bgcolor=_colour(lower, dark), bold=upper in _ODD and upper != "here")


@lru_cache(maxsize=512)
def _colour(tone: str, dark: bool) -> Color | None:
    theme = 0 if dark else 1
    if not tone:
        return None
    if tone in _ODD:
        return _named(_ODD[tone][theme])
    if tone.startswith("#"):
        red, green, blue = (int(digit, 16) * 17 for digit in tone[1:4])
        return Color.from_rgb(red, green, blue)
    level = int(tone[1:])
    if tone[0] == "g":
        return _named(_GREYS[level])
    if tone[0] == "s":
        return _named(_RISING[theme][level])
    return _named(_COLD[theme][7 - level] if level < 8 else _WARM[theme][level - 8])


def _named(number: int) -> Color:
    """One of the 256, with its red, green and blue, so that Textual 8.2 does not spell it out (`ANSIToTruecolor`)."""
    if number >= 232:
        grey = 8 + (number - 232) * 10
        triplet = ColorTriplet(grey, grey, grey)
    else:
        red, rest = divmod(number - 16, 36)
        triplet = ColorTriplet(_CUBE[red], _CUBE[rest // 6], _CUBE[rest % 6])
    return Color(f"color({number})", ColorType.EIGHT_BIT, number, triplet)
