"""Panel 7: what the script prints, as a terminal shows it."""

from __future__ import annotations

from functools import lru_cache

from stepdbg.tui.drawing.lines import Drawing, Frame, Line, Span, cropped, lesson
from stepdbg.tui.drawing.numbers import plural, size
from stepdbg.tui.records.transcript import Transcript, wrapped_rows
from stepdbg.tui.state.snapshot import Snapshot


@lru_cache(maxsize=4)
def rows(transcript: Transcript, width: int) -> tuple[Line, ...]:
    """The transcript's lines broken at a width, without the empty one that the cursor waits on."""
    found = wrapped_rows(transcript, max(1, width))
    while found and not found[-1]:
        found.pop()
    return tuple(found)


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel; its body has a row per line as broken at its width."""
    transcript = snapshot.output
    if not snapshot.session.terminal:
        words = "The output of a headless session goes to the terminal that it was started in."
        return Drawing(title=(Span("not here", "dim"),), body=lesson(words, frame))
    found = rows(transcript, frame.width - 1)
    if not found:
        words = "Nothing printed yet. What the script prints is shown here"
        if not snapshot.over:
            words += f"; press {snapshot.key('input')} to type to it"
        words += "."
        return Drawing(title=(Span("empty", "dim"),), body=lesson(words, frame))
    kept = f"{plural(len(transcript.lines) - 1, 'line')}, {size(transcript.end)}"
    if transcript.forgotten:
        kept += f"; {plural(transcript.forgotten, 'older line')} forgotten"
    body = tuple(cropped((Span(" "), *line), frame.width) for line in found[frame.top : frame.top + frame.height])
    return Drawing((Span(kept, "dim"),), (), body, len(found))
