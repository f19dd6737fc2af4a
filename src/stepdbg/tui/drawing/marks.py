"""The signs of what a phase did: they stand before names and figures, so that nothing hangs on a colour."""

from __future__ import annotations

from stepdbg.protocol.messages import Stop
from stepdbg.tui.drawing.lines import Glyphs, Line, Span

SIGNS = {"changed": "*", "touched": "~", "created": "+", "freed": "-"}
LEGEND = ("+ created", "* changed", "~ same value", "- freed")
"""What the marks mean."""
UNSURE = "?"
"""Behind a mark that may be of any phase since the last stop."""


def hinted(stop: Stop | None) -> bool:
    """Whether the marks tell of all phases since the last stop, and not of the phase done."""
    return stop is not None and stop.effects is not None and stop.effects.basis == "counters"


def legend(pieces: tuple[str, ...], width: int) -> tuple[Line, ...]:
    """What signs mean, in as few lines as it takes; none where one of the pieces has no room."""
    lines: list[str] = []
    for piece in pieces:
        if lines and len(lines[-1]) + 2 + len(piece) <= width:
            lines[-1] += f"  {piece}"
        else:
            lines.append(f" {piece}")
    return tuple((Span(line, "faint"),) for line in lines) if all(len(line) <= width for line in lines) else ()


def sign_of_news(news: str, glyphs: Glyphs) -> str:
    """Before the number of the Output panel: `!` for a warning, a dot for anything new; a blank for nothing."""
    return {"warning": "!", "output": "•" if glyphs.braille else "'"}.get(news, " ")
