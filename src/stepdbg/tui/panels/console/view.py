"""Panel 9: Python in the frame that is looked at. What was typed, and below each what came of it."""

from __future__ import annotations

from functools import lru_cache

from stepdbg.protocol.messages import Evaluated, Refusal
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import Drawing, Frame, Line, Span, clipped, lesson, plain, wrapped
from stepdbg.tui.drawing.python_code import highlighted
from stepdbg.tui.records.exchanges import Exchange, under_way
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget

PROMPT, GOES_ON = ">>> ", "... "
"""The prompts of the first line of a command and of the lines that follow, as Python writes them."""
READONLY = "This session is read-only, and Python can change anything: start it without --readonly to use the console."
_LESSON = (
    "Python in the frame that is looked at ({frame_up} and {frame_down} walk through the frames). model, optimizer, "
    "loss and batch are at hand. What you type goes to the prompt below: enter runs a line or a block, tab completes, "
    "up and down go through what was typed before. escape leaves it, so that keys step again; {console} comes back."
)


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel without its input; its body has a row per line as broken at its width."""
    if snapshot.session.readonly:
        return Drawing(title=(Span("read-only", "dim"),), body=lesson(READONLY, frame))
    title: tuple[Span, ...] = (Span(f"in {plain(frames.in_words(frames.chosen_frame(snapshot)))}", "dim"),)
    if under_way(snapshot.console):
        title = (Span(f"runs; {snapshot.key('console_interrupt')} interrupts it", "running"),)
    elif snapshot.looking_back:
        title = (Span("in the present only", "dim"),)
    elif not snapshot.paused:
        how = f"; {snapshot.key('pause')} pauses" if snapshot.state == "running" else ""
        title = (Span(f"at a stop only{how}", "dim"),)
    found = rows(snapshot.console, max(1, frame.width - 1))
    if not found:
        keys = {action: snapshot.key(action) for action in ("frame_up", "frame_down", "console")}
        return Drawing(title=title, body=lesson(_LESSON.format_map(keys), frame))
    body = tuple((Span(" "), *line) for line in found[frame.top : frame.top + frame.height])
    return Drawing(title, (), body, len(found))


def why_not(snapshot: Snapshot) -> str:
    """Why nothing can be typed; empty where it can."""
    if snapshot.session.readonly:
        return READONLY
    if snapshot.past_at is not None:
        return f"Python runs in the present only: {snapshot.key('back')} goes there"
    if snapshot.state not in ("starting", "running", "paused"):
        return "no process is left that could run Python"
    return ""


def at_rest(snapshot: Snapshot, draft: str, frame: Frame) -> tuple[Line, ...]:
    """In place of the prompt, which only shows where what is typed goes to it: how to type, and what was begun."""
    begun = f", to go on with: {plain(draft.splitlines()[0])}" if draft.strip() else " Python here"
    keys = f"{snapshot.key('panel_console')} or {snapshot.key('console')}"
    words = why_not(snapshot) or f"keys are commands; press {keys} to type{begun}"
    return (clipped((Span(f" {words}", "dim", ActionTarget("console")),), frame.width, frame.glyphs.ellipsis),)


def prompts(number: int, *, waits: bool) -> tuple[Line, ...]:
    """What stands before so many lines of the input."""
    role = "dim" if waits else "accent"
    return tuple(
        (Span(f" {PROMPT if place == 0 else GOES_ON}", role, ActionTarget("console")),) for place in range(number)
    )


@lru_cache(maxsize=4)
def rows(exchanges: tuple[Exchange, ...], width: int) -> tuple[Line, ...]:
    """All exchanges as lines of that width."""
    return tuple(line for exchange in exchanges for line in _exchange(exchange, width))


@lru_cache(maxsize=512)
def _exchange(exchange: Exchange, width: int) -> tuple[Line, ...]:
    lines: list[Line] = []
    for place, code in enumerate(highlighted(exchange.source)):
        lines += _broken((Span(PROMPT if place == 0 else GOES_ON, "dim"), *code), width)
    match exchange.result:
        case Evaluated() as result:
            way, _, what = result.failure.rpartition("\n")
            for words, role in ((result.output, ""), (result.value, "number"), (way, "dim"), (what, "error")):
                for line in words.rstrip("\n").split("\n") if words else ():
                    lines += _broken((Span(plain(line.expandtabs(8)), role),), width)
            if result.interrupted:
                lines += _broken((Span("interrupted; what it had done until then stays done", "warning"),), width)
            for words in (plain(sentence) for sentence in wrapped(result.note, width, 9)):
                lines.append((Span(words, "warning"),))
        case Refusal(problem=problem):
            lines += _broken((Span(plain(problem), "error"),), width)
    return tuple(lines)


def _broken(line: Line, width: int) -> list[Line]:
    """A line broken wherever it is too long: nothing of a value is cut off."""
    lines: list[list[Span]] = [[]]
    room = width
    for span in line:
        rest = span.text
        while rest:
            piece = rest if cell_len(rest) <= room else _fitting(rest, room)
            if piece:
                lines[-1].append(span._replace(text=piece))
                room -= cell_len(piece)
                rest = rest[len(piece) :]
            if rest:
                lines.append([])
                room = width
                if not piece and not _fitting(rest, room):
                    return [tuple(one) for one in lines if one]  # not even one character fits
    return [tuple(one) for one in lines]


def _fitting(words: str, room: int) -> str:
    """The longest beginning that fits into so many cells."""
    if words.isascii():
        return words[:room]
    width = 0
    for place, character in enumerate(words):
        width += cell_len(character)
        if width > room:
            return words[:place]
    return words
