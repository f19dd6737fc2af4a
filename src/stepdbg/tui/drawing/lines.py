"""Lines of text as the views make them: spans with a role, so that a view knows no colour and is tested as text.

A role (`dim`, `accent`, `changed`, …) says what a span means; the palette gives it a colour when it is drawn. A span
may carry a target, so that a click on it finds what it stands for.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from msgspec import Struct

from stepdbg.printable import printable
from stepdbg.tui.drawing.cells import cell_len, last_cells, set_cell_size


class Target(Struct, frozen=True):
    """What a span stands for when it is clicked; each kind is a class of its own, which whoever acts on it knows."""


class Span(NamedTuple):
    """A run of characters that mean the same."""

    text: str
    role: str = ""
    target: Target | None = None


Line = tuple[Span, ...]
"""One row of the screen, left to right."""


class Glyphs(NamedTuple):
    """The characters that plain terminals lack, with their stand-ins under `--ascii`."""

    rule: str = "─"
    rule_focused: str = "━"
    """The sign of the title's rule of the panel in focus, so that the focus is seen without colour."""
    arrow: str = "▶"
    loop: str = "↻"
    dot: str = "·"
    ellipsis: str = "…"
    times: str = "×"
    breakpoint: str = "●"
    switched_off: str = "○"
    cursor: str = "›"
    done: str = "✓"
    yes: str = "●"
    no: str = "·"
    branch: str = "▾"
    folded: str = "▸"
    becomes: str = "→"
    inner: str = "▸"
    """Between a phase and what is done within it."""
    column: str = "│"
    corner: str = "└"
    tick: str = "┤"
    bars: str = " ▁▂▃▄▅▆▇█"
    braille: bool = True
    half_blocks: bool = True
    """Whether a cell can show two colours: neither under `--ascii` nor under `NO_COLOR`."""
    more_left: str = "‹"
    more_right: str = "›"


UNICODE = Glyphs()
ASCII = Glyphs(
    rule="-", rule_focused="=", arrow=">", loop="@", dot=".", ellipsis="~", times="x", breakpoint="#", switched_off="=",
    cursor=">", done="+", yes="y", no=".", branch="v", folded=">", becomes="->", inner=">", column="|", corner="+",
    tick="+",
    bars=" ._-=+*%#",
    braille=False, half_blocks=False, more_left="<", more_right=">",
)  # fmt: skip


class Frame(NamedTuple):
    """Where and how a panel is to be drawn: its size, what of it is scrolled into view, and its cursor."""

    width: int
    height: int
    """Rows for everything below the panel's title."""
    top: int = 0
    """The first row of the body that is in view."""
    cursor: int = 0
    """The row of the body that the cursor is on."""
    column: int = 0
    focused: bool = False
    glyphs: Glyphs = UNICODE


class Drawing(NamedTuple):
    """What a panel shows: a title, lines that stay, and the part of its body that is in view."""

    title: Line = ()
    """The words of the title behind the panel's number and name."""
    head: tuple[Line, ...] = ()
    """The lines between title and body, which stay while the body scrolls."""
    body: tuple[Line, ...] = ()
    """The rows from `Frame.top`, no more than fit."""
    total: int = 0
    """Rows of the whole body."""
    foot: tuple[Line, ...] = ()
    """The lines below the body, which stay while the body scrolls."""


def text(line: Line) -> str:
    """The characters of a line."""
    return "".join(span.text for span in line)


def width_of(line: Line) -> int:
    """The line's width in cells of the terminal."""
    return sum(cell_len(span.text) for span in line)


def plain(words: str) -> str:
    """Words of others, as they may stand on the screen."""
    return printable(words)


def shortened(words: str, width: int, ellipsis: str = "…") -> str:
    """Words cut to a width in cells, with an ellipsis where something was cut."""
    if cell_len(words) <= width:
        return words
    return set_cell_size(words, width - 1) + ellipsis if width > 0 else ""


def shortened_name(name: str, width: int, ellipsis: str = "…") -> str:
    """A dotted name cut to a width from its left, since its right end tells it apart."""
    if cell_len(name) <= width:
        return name
    return ellipsis + last_cells(name, width - cell_len(ellipsis)) if width > 1 else ellipsis[: max(0, width)]


def padded(words: str, width: int, ellipsis: str = "…") -> str:
    """Words at the left of a field of exactly that width."""
    return set_cell_size(shortened(words, width, ellipsis), max(0, width))


def right(words: str, width: int, ellipsis: str = "…") -> str:
    """Words at the right of a field of exactly that width."""
    short = shortened(words, width, ellipsis)
    return " " * (width - cell_len(short)) + short


def cropped(line: Line, width: int) -> Line:
    """The line's first cells, no more than `width` of them; a wide character that is cut leaves a space."""
    room = width
    kept = []
    for span in line:
        length = cell_len(span.text)
        if length > room:
            if room > 0:
                kept.append(span._replace(text=set_cell_size(span.text, room)))
            break
        kept.append(span)
        room -= length
    return tuple(kept)


def clipped(line: Line, width: int, ellipsis: str) -> Line:
    """The line, ending in a sign that it goes on where it does not fit."""
    if sum(cell_len(span.text) for span in line) <= width:
        return line
    return (*cropped(line, width - cell_len(ellipsis)), Span(ellipsis, "faint"))


def whole(line: Line, width: int) -> Line:
    """The line's first spans as far as they fit whole; only the very first may be cut."""
    kept: list[Span] = []
    for span in line:
        length = cell_len(span.text)
        if length > width:
            return tuple(kept) if kept else cropped(line[:1], width)
        kept.append(span)
        width -= length
    return tuple(kept)


def lit(line: Line, start: int) -> Line:
    """A row under the cursor: from the span at `start` on as one that is chosen, whatever else its cells are."""
    chosen = ((span, span.role if span.role.endswith("here") else f"{span.role}.here") for span in line[start:])
    return (*line[:start], *(span._replace(role=role.lstrip(".")) for span, role in chosen))


NAME = "title.name"
"""The role of a name in a title: it is shown whole as long as anything else in the title can give way for it."""


def titled(line: Line, width: int, ellipsis: str) -> Line:
    """A title in so many cells: its last pieces give way first, then the beginning of the name in it.

    What stands directly behind the name (the index under the cursor, a line's number) stays with it.
    """
    place = next((place for place, span in enumerate(line) if span.role == NAME), None)
    if place is None:
        return whole(line, width)
    least = place + 2 if place + 1 < len(line) else place + 1
    kept = line[:least]
    for number in range(len(line), least - 1, -1):
        if width_of(line[:number]) <= width:
            kept = line[:number]
            break
    over = width_of(kept) - width
    if over > 0:
        name = kept[place]
        short = shortened_name(name.text, max(6, cell_len(name.text) - over), ellipsis)
        kept = (*kept[:place], name._replace(text=short), *kept[place + 1 :])
    return whole(tuple(span._replace(role="") if span.role == NAME else span for span in kept), width)


def target_at(line: Line, x: int) -> Target | None:
    """The target of the span at cell `x`."""
    for span in line:
        x -= cell_len(span.text)
        if x < 0:
            return span.target
    return None


def wrapped(words: str, width: int, most: int, ellipsis: str = "…") -> list[str]:
    """Words broken at spaces into at most so many lines; what is left over is cut with an ellipsis."""
    lines: list[str] = []
    current = ""
    for word in words.split():
        candidate = f"{current} {word}" if current else word
        if cell_len(candidate) <= width or not current:
            current = candidate
        else:
            lines.append(current)
            current = word
    if current:
        lines.append(current)
    if len(lines) > most:
        lines[most - 1] = shortened(" ".join(lines[most - 1 :]), width, ellipsis)
        if cell_len(lines[most - 1]) <= width - 1 and not lines[most - 1].endswith(ellipsis):
            lines[most - 1] += ellipsis
    return [shortened(line, width, ellipsis) for line in lines[:most]]


def by_clauses(words: str, width: int, most: int, ellipsis: str = "…") -> list[str]:
    """A sentence in at most so many lines, as many of its clauses as fit whole; an ellipsis stands for the others.

    Half a clause can say what is not so (`freed the gradients of 2 …`): only where not even the first fits it is cut,
    between two things that it lists if it can be; the numbers of an index are none.
    """
    if most < 1:
        return []
    for separator in ("; ", ", "):
        pieces = re.split(rf"{separator}(?![^\[(]*[\])])", words)  # an index or what stands in brackets stays whole
        for number in range(len(pieces), 0, -1):
            shown = separator.join(pieces[:number]) + (f"{separator}{ellipsis}" if number < len(pieces) else "")
            if len(wrapped(shown, width, most + 1)) <= most:
                return wrapped(shown, width, most, ellipsis)
    return wrapped(words, width, most, ellipsis)


def lesson(words: str, frame: Frame) -> tuple[Line, ...]:
    """What an empty panel teaches, broken at its width."""
    most = max(1, frame.height)
    return tuple((Span(f" {line}", "dim"),) for line in wrapped(words, max(1, frame.width - 2), most))
