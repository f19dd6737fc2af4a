"""The gate for text of others on its way to a terminal: names, paths, arguments, exceptions, what a script prints.

A name may hold whatever its author liked: an escape sequence that retitles the window or fills the clipboard, a bidi
override that turns the rest of the line around, a hundred accents on one letter. None of it is obeyed here. What
cannot be shown has a stand-in of one cell: `␛` and its kin for C0 and DEL, `�` for all else that is no text.

The standard library only, since every process prints something.
"""

from __future__ import annotations

import unicodedata
from typing import Final

UNKNOWN: Final = "\N{REPLACEMENT CHARACTER}"
"""What stands for a character that cannot be shown and has no picture of its own."""
MARKS: Final = 2
"""Combining marks that a character keeps; with more it would reach into the lines around."""

_NARROW = frozenset(
    chr(code)
    for first, last in (
        (0x20, 0x7E), (0xA1, 0xAC), (0xAE, 0x2FF), (0x3A3, 0x3FF), (0x400, 0x482), (0x48A, 0x52F), (0x2010, 0x2015),
        (0x2018, 0x2027), (0x2030, 0x205E), (0x2190, 0x2319), (0x2500, 0x25FC), (0x25FF, 0x25FF), (0x2800, 0x28FF),
    )
    for code in range(first, last + 1)
)  # fmt: skip
"""Characters of one cell in every terminal: of most alphabets of Europe, and those that the screen is drawn with."""
_WIDE = ((0x3041, 0x3096), (0x30A1, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3))
"""Kana, Han and Hangul: two cells in every terminal."""
_JOINERS = frozenset("\u200d\ufe0e\ufe0f\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff")
"""They make one picture of several, or another of one, as terminals please: each picture stands alone instead."""
_BLANKS = frozenset("\u034f\u115f\u17b4\u17b5\u180b\u180c\u180d\u180f\u3164\uffa0")
"""Letters and marks that nobody can see."""
_MARK: Final = ""
_kinds: dict[str, str] = {}
_KNOWN: Final = 5_000
"""Characters whose kind is remembered."""


def narrow(text: str) -> bool:
    """Whether all of it can be shown as it is, in one cell each."""
    return text.isprintable() if text.isascii() else _NARROW.issuperset(text)


def ordinary(text: str) -> bool:
    """Whether all of it can be shown as it is, and every terminal gives each character the same width."""
    return narrow(text) or all(
        one in _NARROW or any(first <= ord(one) <= last for first, last in _WIDE) for one in text
    )


def printable(text: str) -> str:
    """The text as one line that moves no cursor and commands no terminal, with nothing invisible in it."""
    if narrow(text):
        return text
    shown: list[str] = []
    marks = MARKS  # the first character has nothing to stand on
    picture = False  # whether the last character shown is one that joiners may change
    for character in text:
        kind = _kinds.get(character)
        if kind is None:
            kind = _kind(character)
            if len(_kinds) < _KNOWN:
                _kinds[character] = kind
        if character in _JOINERS and picture:
            continue
        picture = False
        if kind != _MARK:
            shown.append(kind)
            marks = 0
            picture = kind == character and character >= "\u203c"
        elif not shown or shown[-1] == UNKNOWN:
            shown.append(UNKNOWN)
        elif marks < MARKS:
            shown.append(character)
            marks += 1
    return "".join(shown)


def printable_lines(text: str) -> str:
    """The same for a text of several lines; tabs are spaces in it."""
    if narrow(text):
        return text
    return "\n".join(printable(line.expandtabs(8)) for line in text.split("\n"))


def _kind(character: str) -> str:
    """What a character is shown as; `_MARK` for one that stands on the character before it."""
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\N{SYMBOL FOR DELETE}"
    category = unicodedata.category(character)
    if category == "Zs":
        return "  " if character == "\N{IDEOGRAPHIC SPACE}" else " "
    if not character.isprintable() or character in _BLANKS or character in _JOINERS or 0xE0100 <= code <= 0xE01EF:
        return UNKNOWN
    if category in ("Mn", "Mc", "Me") or 0x1160 <= code <= 0x11FF or 0xD7B0 <= code <= 0xD7FF:
        return _MARK
    return character
