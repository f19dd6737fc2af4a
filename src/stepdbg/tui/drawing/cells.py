"""How many cells of the terminal a text takes once it has passed the gate, and texts of exactly so many cells.

Rich measures the text as it is: an escape character as nothing, a family of emoji as one picture. What is drawn is the
printable text, one character after the other, so that is what is measured.
"""

from __future__ import annotations

from rich.cells import get_character_cell_size

from stepdbg.printable import narrow, printable


def cell_len(text: str) -> int:
    """The cells that the text takes."""
    if narrow(text):
        return len(text)
    return sum(map(get_character_cell_size, printable(text)))


def set_cell_size(text: str, width: int) -> str:
    """The text in exactly so many cells: cut, or filled with spaces. Half of a wide character is a space."""
    if narrow(text):
        return text[: max(0, width)].ljust(width)
    kept: list[str] = []
    room = max(0, width)
    for character in printable(text):
        wide = get_character_cell_size(character)
        if wide > room:
            break
        kept.append(character)
        room -= wide
    return "".join(kept) + " " * room


def last_cells(text: str, width: int) -> str:
    """The end of the text, in no more than so many cells."""
    if narrow(text):
        return text[max(0, len(text) - width) :]
    shown = printable(text)
    start, room = len(shown), width
    while start:
        wide = get_character_cell_size(shown[start - 1])
        if wide > room:
            break
        room -= wide
        start -= 1
    while start < len(shown) and get_character_cell_size(shown[start]) == 0:
        start += 1  # a mark whose character was cut off
    return shown[start:]
