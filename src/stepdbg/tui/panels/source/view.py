"""Panel 6: the user's own code, at the stop or in a frame around it. The margin names the phases at their lines."""

from __future__ import annotations

from stepdbg.tui.drawing.lines import NAME, Drawing, Frame, Span, clipped, lesson, padded, plain
from stepdbg.tui.drawing.python_code import highlighted
from stepdbg.tui.state import selected_frame as frames
from stepdbg.tui.state.line_breakpoints import breakpoints_at, written
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PanelTarget
from stepdbg.tui.words.findings import faults, worst

MARGIN = 13
"""Cells for a breakpoint and the names of the phases at the left."""


def place(snapshot: Snapshot) -> tuple[str, int] | None:
    """The file and line to show: the chosen frame's; until one is chosen, where the next phase is, else the phase
    done, else the user's innermost frame. Of a script that has ended, the place that was shown last. Before all of
    these comes a line that was asked for at this stop.
    """
    stop = snapshot.stop
    if stop is None:
        return None
    if (asked := where_asked(snapshot)) is not None:
        return asked
    frame = frames.chosen_frame(snapshot)
    if frame is not None and (stop.failure or frames.chosen(snapshot) != frames.innermost(stop)):
        return frame.file, frame.line
    if stop.line_next:
        return stop.line_next
    if stop.line_done:
        return stop.line_done
    if frame is not None and not frame.library:
        return frame.file, frame.line
    boundary = stop.boundary
    if boundary.file and boundary.line:
        return boundary.file, boundary.line
    return snapshot.last_line if boundary.next is None else None


def where_asked(snapshot: Snapshot) -> tuple[str, int] | None:
    """The line that was asked for at this stop; None where none was."""
    return snapshot.line_in_view if snapshot.line_in_view_at == snapshot.boundary else None


def phase_at(snapshot: Snapshot, row: int) -> str | None:
    """The phase that begins at a row of the body, as far as stops have shown it."""
    where = place(snapshot)
    names = snapshot.phase_lines.get((where[0], row + 1), ()) if where else ()
    return names[0] if names else None


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel; its body has a row per line of the file. `cursor` is the line under the cursor, from 0."""
    where = place(snapshot)
    if where is None:
        if snapshot.stop is not None:
            words = "The script has come to its end: no line of it runs any more. Its variables are below."
            return Drawing(title=(Span("at the end", "dim"),), body=lesson(words, frame))
        words = "The code is shown at the first stop."
        if snapshot.over:
            words = (
                "The script has ended, and it never stopped: no training loop was seen in it. "
                f"Panel {snapshot.key('panel_output')} has its output."
            )
            return Drawing(title=(Span("ended", "dim"),), body=lesson(words, frame))
        return Drawing(title=(Span("none yet", "dim"),), body=lesson(words, frame))
    file, line = where
    source = snapshot.sources.get(file)
    title = (
        Span(plain(written(snapshot, file)), NAME),
        Span(f":{line}", "dim"),
        *([Span(f"  ended; {_left_at(snapshot)} was here", "warning")] if _ended(snapshot) else []),
    )
    if source is None:
        return Drawing(title, (), ((Span(" reading the file", "dim"),),), 0)
    if source.problem:
        return Drawing(title, (), ((Span(f" {plain(source.problem)}"[: frame.width], "error"),),), 0)
    rows = highlighted(source.text)
    digits = len(str(len(rows)))
    body = []
    for number, code in enumerate(rows[frame.top : frame.top + frame.height], frame.top + 1):
        name, sign, role = _margin(snapshot, file, number, line, frame)
        here = frame.focused and number == frame.cursor + 1
        spans = (
            _breakpoint(snapshot, file, number, frame),
            Span(padded(name, MARGIN - 4, frame.glyphs.ellipsis) + " " + sign, role),
            _finding(snapshot, file, number),
            Span(f"{number:>{digits}} ", "accent" if here else ("strong" if role not in ("", "faint") else "faint")),
            *code,
        )
        body.append(clipped(spans, frame.width, frame.glyphs.ellipsis))
    return Drawing(title, (), tuple(body), len(rows))


def _ended(snapshot: Snapshot) -> bool:
    """Whether no line runs any more, and the one that is shown is of an earlier stop or of the phase done last."""
    stop = snapshot.stop
    return stop is not None and stop.boundary.next is None and stop.inner is None and not stop.failure


def _left_at(snapshot: Snapshot) -> str:
    """What the line is of that is shown once the script has ended: after a run without stops no line is known."""
    stop = snapshot.stop
    return "the last phase" if stop is not None and stop.line_done else "the last stop before"


def _breakpoint(snapshot: Snapshot, file: str, number: int, frame: Frame) -> Span:
    """A mark at a line that has a breakpoint, or whose phase has one."""
    names = snapshot.phase_lines.get((file, number), ())
    there = [one for one in snapshot.session.breakpoints if one.phase in names] if names else []
    there += breakpoints_at(snapshot, file, number)
    if any(one.enabled for one in there):
        return Span(frame.glyphs.breakpoint, "breakpoint", PanelTarget("breaks"))
    return Span(frame.glyphs.switched_off if there else " ", "dim")


def _finding(snapshot: Snapshot, file: str, number: int) -> Span:
    """A mark at a line in which a rule has found something."""
    role = worst([one for one in faults(snapshot) if (one.file, one.line) == (file, number)])
    return Span("!", role, PanelTarget("findings")) if role else Span(" ")


def _margin(snapshot: Snapshot, file: str, number: int, line: int, frame: Frame) -> tuple[str, str, str]:
    """The name, sign and role at the left of a line."""
    stop = snapshot.stop
    assert stop is not None
    boundary = stop.boundary
    here = (file, number) == (file, line)
    if stop.failure and here:
        return stop.failure.type.rpartition(".")[2], "!", "error"
    if stop.line_next == (file, number):
        return boundary.next or "end", frame.glyphs.arrow, "accent"
    if stop.line_done == (file, number):
        return boundary.done or "", frame.glyphs.done, "strong"
    known = snapshot.phase_lines.get((file, number), ())
    if here and where_asked(snapshot) == (file, number):
        return (known[0] if known else ""), frame.glyphs.cursor, "accent"
    if here:
        if _ended(snapshot):
            return (known[0] if known else ""), " ", "faint" if known else ""
        name = "inside" if stop.boundary.inside else known[0] if known else "called"
        if stop.inner is not None and not stop.boundary.inside:
            name = "here"
        return name, frame.glyphs.arrow, "accent"
    return (known[0] if known else ""), " ", "faint" if known else ""
