"""The line that is always there: which script, in which state, where, and how much is alive.

What does not fit is left out whole, the least needed first; nothing is cut in the middle of a word, but for the name of
a loss: its figure must be there.
"""

from __future__ import annotations

from pathlib import PurePath

from stepdbg.protocol.messages import SessionState, Stop
from stepdbg.protocol.moment_text import told
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, plain, shortened, shortened_name
from stepdbg.tui.drawing.numbers import count, figure, plural, size, span
from stepdbg.tui.records.losses import Series
from stepdbg.tui.state.snapshot import Snapshot, neighbour
from stepdbg.tui.top.ranks import LONG, several
from stepdbg.tui.top.session_sentence import exit_words
from stepdbg.tui.top.sparkline import sparkline
from stepdbg.tui.words.goal import goal
from stepdbg.tui.words.inside_phase import position

SOME = 12
"""Cells of the script's arguments that are worth showing where not all of them have room."""
_SHORTEST_NAME = 14
"""Cells that a loss's name may have in a line of any width."""
_ROLES = {"paused": "accent", "running": "running", "starting": "dim", "exited": "dim", "lost": "error"}


def state_words(snapshot: Snapshot, now: float) -> tuple[str, str]:
    """The state in capitals, and what follows it: `("PAUSED", "before backward")`.

    Args:
        snapshot: What is known.
        now: Seconds since the epoch, as `time.time`.
    """
    session = snapshot.session
    stop = snapshot.stop
    if snapshot.looking_back and stop is not None:
        return "PAST", _past_words(stop)
    match snapshot.state:
        case "lost":
            return "LOST", "the session's hub is gone" if snapshot.lost else "the training process is gone"
        case "exited":
            how = exit_words(session.exit_status)
            return "EXITED", how or ("the session was ended" if snapshot.ended else "")
        case "paused" if stop is not None:
            if stop.reason == "exception" and stop.failure:
                return "PAUSED", f"on {stop.failure.type}"
            if stop.inner is not None:
                return "PAUSED", position(stop)
            if stop.boundary.next is None:
                return "PAUSED", "at the end of the script"
            return "PAUSED", f"before {stop.boundary.next}{'?' if stop.boundary.predicted else ''}"
        case "starting":
            doing = session.doing or f"starting {session.script}"
            since = max(0.0, now - session.since) if session.since else 0.0
            return "STARTING", f"{doing}… {since:.1f} s"
        case "running" if snapshot.asking:
            return "RUNNING", "waits for a line of input"
        case "running":
            progress = snapshot.progress
            if snapshot.ending:
                return "RUNNING", "to the end of the script"
            if progress is None or not progress.phase:
                return "RUNNING", session.doing
            long = f" for {progress.phase_seconds:.0f} s" if progress.phase_seconds >= LONG else ""
            return "RUNNING", f"in {progress.phase}{long}"
    return snapshot.state.upper(), session.doing


def _past_words(stop: Stop) -> str:
    """`update 12, before backward`."""
    boundary = stop.boundary
    where = f"before {boundary.next}" if boundary.next is not None else position(stop) or "at the end of the script"
    if stop.reason == "exception" and stop.failure:
        where = f"on {stop.failure.type}"
    done = " done" if boundary.opens is not None and boundary.done else ""
    return f"update {count(boundary.update)}{done}, {where}"


def _way_back(snapshot: Snapshot) -> str:
    """How to come back from the past."""
    newest = snapshot.stops[-1].boundary if snapshot.stops else 0
    later = snapshot.key("later")
    if neighbour(snapshot, 1) in (None, newest):
        return f"{later} goes back to now"
    return f"{later} later, {snapshot.key('back')} now"


def draw(snapshot: Snapshot, width: int, now: float, glyphs: Glyphs = UNICODE) -> Line:
    """The header, exactly one line of at most `width` cells."""
    state, words = state_words(snapshot, now)
    words = plain(words).replace("…", "..." if not glyphs.braille else "…")
    script = plain(snapshot.session.script)
    start = [Span(" "), Span(f"{shortened(script, max(8, width // 4), glyphs.ellipsis)}  ", "strong")]
    if several(snapshot):
        start.append(Span(f"rank {snapshot.rank} ", "strong"))
    role = "past" if snapshot.looking_back else _ROLES.get(snapshot.state, "")
    if snapshot.looking_back:
        start += [Span(f" {state} ", "state.past"), Span(" ")]
    else:
        start.append(Span(f"{state} ", f"state.{role or 'dim'}"))
    if words and snapshot.state in ("starting", "exited", "lost"):
        words = f"{glyphs.dot} {words}"
    start.append(Span(words, role))
    if width < 40:
        start = [Span(state, f"state.{role or 'dim'}"), Span(f" {words}")]
    left = _middle(snapshot, max(_SHORTEST_NAME, width // 5), glyphs)
    right_end = _census(snapshot)
    stop = snapshot.stop
    known = snapshot.state == "running" or (stop is not None and stop.boundary.loss is not None)
    series = _series(snapshot) if known and not snapshot.looking_back else None
    spark = sparkline(series, 12 if width >= 120 else 6, glyphs) if series is not None else ""
    used = sum(cell_len(span.text) for span in start)
    line = list(start)
    needed = used + sum(cell_len(words) + 3 for words in left) + (len(spark) + 1 if spark else 0)
    if width >= 40 and (given := _given(snapshot, width - needed - 2, width // 3, glyphs)):
        line.insert(2, Span(f"{given}  ", "dim"))
        used += cell_len(given) + 2
    for words in left:
        piece = f" {glyphs.dot} {words}"
        if used + cell_len(piece) > width:
            spark = ""  # bars of a loss whose figure has no room would say nothing
            break
        line.append(Span(piece, "past" if words.startswith("]") else ""))
        used += cell_len(piece)
    if spark and left and used + len(spark) + 2 <= width:
        line.append(Span(f" {spark}", "chart.0"))
        used += len(spark) + 1
    for length in range(len(right_end), 0, -1):
        words = f" {glyphs.dot} ".join(right_end[:length])
        if used + cell_len(words) + 3 <= width:
            line.append(Span(" " * (width - used - cell_len(words) - 1)))
            line.append(Span(words, "dim"))
            break
    return tuple(line)


def arguments(session: SessionState) -> str:
    """The script's own arguments, as one would type them: what follows on its name in the command."""
    if not session.target:
        return ""
    import shlex  # not before the first frame, which knows no target yet

    try:
        words = shlex.split(session.target)
    except ValueError:
        return ""
    place = next((n for n, word in enumerate(words) if session.script in (word, PurePath(word).name)), None)
    if place is None:
        return ""
    generator = words[max(0, place - 1)] == "stepdbg.tracer.drive"  # its name follows on that of the file
    return shlex.join(words[place + 1 + generator :])


def _given(snapshot: Snapshot, room: int, most: int, glyphs: Glyphs) -> str:
    """The arguments, as far as there is room that nothing else in the line needs more."""
    words = plain(arguments(snapshot.session))
    room = min(room, most)
    return shortened(words, room, glyphs.ellipsis) if room >= min(cell_len(words), SOME) else ""


def _time_left(snapshot: Snapshot, update: int, rate: float) -> list[str]:
    """How long it takes to the update that training is to run to, if it runs to one; or whereto it runs."""
    ahead = [
        one.update
        for one in snapshot.session.breakpoints
        if one.once and one.enabled and one.phase is None and one.update is not None and one.update > update
    ]
    if not ahead:
        times = [one.time for one in snapshot.session.breakpoints if one.enabled and one.time is not None]
        where = told(min(times))[11:] if times else goal(snapshot)
        return [f"to {where}"] if where else []
    seconds = (min(ahead) - update) / rate
    return [f"{span(seconds)} to update {count(min(ahead))}"]


def _middle(snapshot: Snapshot, longest: int, glyphs: Glyphs) -> list[str]:
    """Epoch, update and loss, of the stop or of what runs; a loss's name has no more than so many cells."""
    stop = snapshot.stop
    progress = snapshot.progress
    if snapshot.state == "running" and progress is not None and not snapshot.ending:
        parts = [f"epoch {progress.epoch}"] if progress.epoch is not None else []
        parts.append(f"update {count(progress.update)}")
        if progress.loss is not None:
            series = _series(snapshot)
            parts.append(_loss(series.name if series is not None else "", progress.loss, longest, glyphs))
        if progress.updates_per_second:
            parts.append(f"{figure(progress.updates_per_second)}/s")
            parts += _time_left(snapshot, progress.update, progress.updates_per_second)
        return parts
    if stop is None:
        return []
    boundary = stop.boundary
    parts = [_way_back(snapshot)] if snapshot.looking_back else []
    parts += [f"epoch {boundary.epoch}"] if boundary.epoch is not None else []
    if not snapshot.looking_back:
        done = " done" if boundary.opens is not None and boundary.done else ""
        parts.append(f"update {count(boundary.update)}{done}")
    if (mode := _mode(stop)) and "eval" not in (boundary.done, boundary.next):
        parts.append(mode)
    if boundary.loss is not None:
        of = stop.made_in.get("loss", boundary.update)
        parts.append(_loss(stop.loss_name or "", boundary.loss, longest, glyphs))
        parts[-1] += "" if of == boundary.update else f" (update {count(of)})"
    return parts


def _series(snapshot: Snapshot) -> Series | None:
    """The losses of the name that the newest one has; while training runs nobody says which of several that is."""
    if len(snapshot.losses) == 1:
        return snapshot.losses[0]
    name = snapshot.stop.loss_name if snapshot.stop is not None and snapshot.state != "running" else None
    return next((one for one in snapshot.losses if one.name == name), None)


def _loss(name: str, value: float, longest: int, glyphs: Glyphs) -> str:
    """`loss 0.43`, `d_loss 0.43`, `loss / 2 = 0.43`: by its name, where that says that it is a loss; a long name gives
    way to its figure.
    """
    called = plain(name) if "loss" in name.lower() else "loss"
    called = shortened_name(called, longest, glyphs.ellipsis)
    return f"{called} = {figure(value)}" if " " in called else f"{called} {figure(value)}"


def _mode(stop: Stop) -> str:
    """Which models under training are not in training mode; empty where all are."""
    if not stop.modes:
        return ""
    if len(stop.modes) > 1:
        return f"{len(stop.modes)} models not in train mode"
    return "eval mode" if stop.modes[0][1] == "eval" else "partly eval mode"


def _census(snapshot: Snapshot) -> list[str]:
    census = snapshot.stop.census if snapshot.stop else None
    if census is None:
        return []
    parts = [census.device, plural(census.parameters, "parameter"), size(census.bytes)]
    return parts
