"""Panel 3: what each phase of this update did to each kind of object.

Rows are the phases of the rail, those to come too. A cell holds signs and counts:
`+8` created, `*8` changed, `~8` written with the same value, `-8` freed; in brackets what the phase did the last time.
"""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.messages import Effects, Kind, Stop
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import (
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    Target,
    cropped,
    lesson,
    padded,
    plain,
    wrapped,
)
from stepdbg.tui.drawing.marks import LEGEND, SIGNS, legend
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.panels.effects.phase_rows import KINDS, UNFIT, Row, cell, rows, stop_after
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top import phases
from stepdbg.tui.top.session_sentence import model_name
from stepdbg.tui.words.effect_counts import NOUNS
from stepdbg.tui.words.inside_phase import position
from stepdbg.tui.words.sentence import sentence

_SHORT = {"parameter": "param", "hyperparameter": "hyper"}
_NARROW = {
    "parameter": "par", "grad": "grd", "buffer": "buf", "state": "sta", "hyperparameter": "hyp", "output": "out",
    "batch": "bat",
}  # fmt: skip
WORDS = 3
"""Lines for the sentence below the matrix."""
NOT_RECORDED = "not recorded"


class KindTarget(Target, frozen=True):
    """The cursor is to go to the column of a kind of object."""

    kind: Kind


class Columns(NamedTuple):
    """The kinds that are shown, each with its heading and its width, and the width of the names."""

    name: int
    kinds: tuple[tuple[Kind, str, int], ...]
    cut: bool = False
    """Whether there is no room for all that something was done to."""
    brackets: bool = True
    """Whether there is room for the brackets round what is of the last time."""
    staggered: bool = False
    """Whether the headings stand on two lines by turns, so that whole words have room over narrow columns."""


def columns(found: list[Row], width: int, *, tall: bool = False) -> Columns:
    """What fits: all kinds under their whole names, under short ones, or only those that something was done to.

    Args:
        found: The rows.
        width: Cells.
        tall: There may be two lines of headings; it changes nothing about which kinds are shown.
    """
    name = max([8, *(cell_len(row.box.name) + row.box.depth * 2 for row in found)]) + 3
    bare = {kind: max([0, *(cell_len(cell(row.box, kind)) for row in found)]) for kind in KINDS}
    cells = {kind: max([0, *(cell_len(_bracketed(row.box, kind)) for row in found)]) for kind in KINDS}
    used = tuple(kind for kind in KINDS if cells[kind]) or tuple(kind for kind in KINDS if kind != "hyperparameter")
    heads = {**_SHORT, **_NARROW}
    ways: tuple[tuple[tuple[Kind, ...], dict[str, str], dict[Kind, int]], ...]
    ways = ((KINDS, {}, cells), (KINDS, _SHORT, cells), (used, {}, cells), (used, heads, cells), (used, heads, bare))
    for kinds, names, needed in ways:
        if names is heads and tall and (whole := _staggered(used, needed, name, width)):
            return Columns(name, whole, brackets=needed is cells, staggered=True)
        wide = {kind: max(len(names.get(kind, kind)), needed[kind]) + 1 for kind in kinds}
        if name + sum(wide.values()) <= width:
            more = min(4, (width - name - sum(wide.values())) // len(kinds))
            shown = tuple((kind, names.get(kind, kind), wide[kind] + more) for kind in kinds)
            return Columns(name, shown, brackets=needed is cells)
    room = width - name - 2
    kept: list[tuple[Kind, str, int]] = []
    for kind in used:
        room -= wide[kind]
        if room < 0:
            break
        kept.append((kind, heads.get(kind, kind), wide[kind]))
    return Columns(name, tuple(kept) or ((used[0], "", 1),), True, brackets=False)


def _staggered(
    kinds: tuple[Kind, ...], cells: dict[Kind, int], name: int, width: int
) -> tuple[tuple[Kind, str, int], ...]:
    """Columns that take whole words as headings, the first on the lower of two lines, the second on the upper, and so
    on: a word may be as long as its column and the one before it. Empty where that does not fit.
    """
    wide: list[int] = []
    for kind in kinds:
        before = wide[-1] if wide else name
        wide.append(max(len(_NARROW.get(kind, kind)) + 1, cells[kind] + 1, len(kind) + 1 - before))
    if name + sum(wide) > width:
        return ()
    more = min(4, (width - name - sum(wide)) // len(kinds))
    return tuple((kind, kind, each + more) for kind, each in zip(kinds, wide, strict=True))


def _bracketed(box: phases.Box, kind: Kind) -> str:
    """The cell as it is drawn: in brackets where it is of the last time."""
    words = cell(box, kind)
    return f"({words})" if words and box.when not in ("done", "inside") else words


def draw(snapshot: Snapshot, frame: Frame, kind: Kind, beneath: tuple[Line, ...] = ()) -> Drawing:
    """The matrix.

    Args:
        snapshot: What is known.
        frame: The place; `cursor` is the row.
        kind: The column that the cursor is on.
        beneath: Lines that follow on it, where there is room.
    """
    found = rows(snapshot)
    stop = snapshot.stop
    if stop is None:
        words = (
            "Here stands what each phase does to each kind of object. "
            f"Press {snapshot.key('next')} to run the first one."
        )
        return Drawing(title=(Span("none yet", "dim"),), body=lesson(words, frame))
    words = _words(snapshot, found[min(frame.cursor, len(found) - 1)], frame.glyphs) if found else ""
    below = [(Span(f" {line}", "sentence"),) for line in wrapped(words, max(10, frame.width - 2), WORDS)]
    shape = columns(found, frame.width, tall=frame.height > 2 + len(found) + len(below))
    head = _headings(shape, kind, frame)
    spare = frame.height - len(head) - len(found) - len(below)
    foot: list[Line] = [*([()] if spare > 0 and below else []), *below]
    unfit = any(UNFIT in cell(row.box, each) for row in found for each, _, _ in shape.kinds)
    signs = legend((*LEGEND, "( ) last time", *([f"{UNFIT} NaN or infinite"] if unfit else [])), frame.width)
    if spare > 1 + len(signs):
        foot += [*([] if below else [()]), *signs]
    if beneath and spare > 4:
        room = frame.height - len(head) - len(found) - len(foot) - 1
        foot += [(Span(frame.glyphs.rule * frame.width, "rule"),), *beneath[:room]]
    height = max(1, frame.height - len(head) - len(foot))
    body = tuple(
        _line(row, shape, kind, index == frame.cursor, frame)
        for index, row in enumerate(found[frame.top : frame.top + height], frame.top)
    )
    return Drawing(_title(snapshot, stop), head, body, len(found), tuple(foot))


def room_beneath(snapshot: Snapshot, frame: Frame) -> int:
    """Lines that are left below the matrix and its sentence."""
    return frame.height - 1 - len(rows(snapshot)) - WORDS - 3


def _title(snapshot: Snapshot, stop: Stop) -> Line:
    boundary = stop.boundary
    done = f", {boundary.done} done" if boundary.done else ""
    where = f", {position(stop)}" if stop.inner is not None else ""
    return (Span(f"update {boundary.update}"), Span(done), Span(where))


def _headings(shape: Columns, kind: Kind, frame: Frame) -> tuple[Line, ...]:
    """The kinds over their columns: on one line, or by turns on two."""
    lines = 2 if shape.staggered else 1
    found: list[Line] = []
    for number in range(lines):
        spans, blank = [], shape.name
        for place, (each, heading, wide) in enumerate(shape.kinds):
            if (lines - 1 - place) % lines != number:
                blank += wide
                continue
            role = "accent" if each == kind and frame.focused else "heading"
            spans += [Span(" " * (blank + wide - len(heading))), Span(heading, role)]
            blank = 0
        if shape.cut:
            spans.append(Span(f" {frame.glyphs.more_right}", "dim"))
        found.append(cropped(tuple(spans), frame.width))
    return tuple(found)


def _line(row: Row, shape: Columns, kind: Kind, here: bool, frame: Frame) -> Line:
    box, glyphs = row.box, frame.glyphs
    done = glyphs.done if glyphs.braille else " "  # a `+` means created here
    sign = {"done": done, "inside": glyphs.inner, "next": glyphs.arrow, "running": glyphs.arrow}.get(box.when, " ")
    role = {"done": "", "inside": "accent", "next": "accent", "running": "accent"}.get(box.when, "dim")
    role = "error" if box.is_left else role
    aside = "" if row.of_call else "  then" if row.after else "  before"
    label = "  " * box.depth + (aside or plain(box.name) + ("?" if box.predicted else ""))
    sign = " " if aside else "!" if box.is_left else sign
    spans = [
        Span(glyphs.cursor if here else " ", "cursor" if frame.focused else "dim"),
        Span(f"{sign} ", "dim" if box.when == "done" else role),
        Span(padded(label, shape.name - 3, glyphs.ellipsis), role),
    ]
    nobody = (box.when == "done" or box.is_left) and (box.record is None or box.record.effects is None)
    if box.record is not None and box.record.skipped:
        return (*spans, Span("  skipped", "warning"))
    if nobody:
        return (*spans, Span(f"  {NOT_RECORDED}", "cell.here" if here and frame.focused else "dim"))
    for each, _, wide in shape.kinds:
        told = _bracketed(box, each) if shape.brackets else cell(box, each)
        words = told or ("" if box.record is None or box.record.effects is None else glyphs.dot)
        under = here and each == kind
        blank = " " * max(0, wide - cell_len(words) - under) + (glyphs.cursor if under else "")
        target = KindTarget(each)
        spans.append(Span(blank, "", target))
        spans.append(Span(words or "", _cell_role(words, box, under, frame), target))
    return cropped(tuple(spans), frame.width)


def _cell_role(words: str, box: phases.Box, here: bool, frame: Frame) -> str:
    if here:
        return "cell.here" if frame.focused else "strong"
    if words == frame.glyphs.dot:
        return "line"
    if box.when not in ("done", "inside"):
        return "dim"
    if UNFIT in words:
        return "error"
    what = next((what for what, sign in SIGNS.items() if words.startswith(sign)), "")
    return f"mark.{what}" if what else ""


def _words(snapshot: Snapshot, row: Row, glyphs: Glyphs) -> str:
    """The plain sentence of the row under the cursor; that of the phase just done stands under the rail."""
    box = row.box
    if snapshot.state == "running":
        return "training runs; the matrix is drawn anew at the next stop"
    if box.record is None:
        how = f"; press {snapshot.key('next')} to run it" if box.when == "next" else ""
        return f"{box.name} has not been run yet{how}"
    if not row.of_call:
        when = f"after {box.name} had returned" if row.after else f"before {box.name} began"
        return f"{when}: {_counted('', box.record.effects or Effects('fingerprint'))}"
    if box.record.effects is None:
        return f"{box.name}: {NOT_RECORDED}, since nobody looked before it"
    if row.just_done:
        return ""
    stop = stop_after(snapshot, row)
    words = (
        sentence(stop, model_name(snapshot), snapshot.key("next"), glyphs)
        if stop is not None
        else _counted(box.name, box.record.effects)
    )
    if box.when == "next":
        return f"{box.name} comes next. The last time {words}"
    return words if box.when in ("done", "inside") else f"the last time {words}"


def _counted(name: str, effects: Effects) -> str:
    """What is known of a phase whose names are not at hand."""
    counts = [one for one in effects.counts if one.count and one.kind != "rng"]
    parts = [f"{plural(one.count, *NOUNS[one.kind])} {one.what}" for one in counts]
    return f"{name}: {', '.join(parts)}".removeprefix(": ") if parts else f"{name} changed nothing that stepdbg watches"
