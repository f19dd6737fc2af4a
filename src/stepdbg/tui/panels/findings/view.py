"""Panel K: what the rules have found, the worst first. One that is opened tells its evidence, its cause and the fix."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from stepdbg.protocol.messages import Breakpoint, Finding
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import (
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    by_clauses,
    clipped,
    lit,
    padded,
    plain,
    wrapped,
)
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget
from stepdbg.tui.words.findings import ORDER, ROLES, sorted_findings, updates

_LABELS = 10
"""Cells for `evidence` and its like, and what is around them."""
_NAMED = 12
"""Cells of a sentence beside the rule that still tell something."""


class Row(NamedTuple):
    """A line of the body."""

    finding: Finding
    line: Line
    first: bool = False
    """Whether it is the line that a finding begins with, on which its sign stands."""


def stopping(snapshot: Snapshot) -> Breakpoint | None:
    """The breakpoint that stops training where a rule finds something new, switched on or off."""
    return next((one for one in snapshot.session.breakpoints if one.finding), None)


def rows(snapshot: Snapshot, opened: Collection[object], width: int, glyphs: Glyphs) -> list[Row]:
    """The lines of the body.

    Args:
        snapshot: What is known.
        opened: The findings, by `Finding.key` and rank, of which all is told.
        width: Cells of the panel.
        glyphs: The characters there are.
    """
    found = sorted_findings(snapshot)
    several = len(snapshot.session.ranks) > 1
    wide = max([0, *(len(one.rule) for one in found)])
    told: list[Row] = []
    for one in found:
        here = key_of(one) in opened
        told.append(Row(one, _head(one, here, wide, width, glyphs, several=several), first=True))
        if here:
            told += [Row(one, line) for line in _in_full(one, width, glyphs)]
    return told


def key_of(finding: Finding) -> object:
    """What tells a finding from all others of the session."""
    return (finding.rank, *finding.key)


def _head(one: Finding, opened: bool, wide: int, width: int, glyphs: Glyphs, *, several: bool) -> Line:
    """The rule, its sentence as far as there is room, the place and the updates."""
    fold = glyphs.branch if opened else glyphs.folded
    parts = [part for part in (f"rank {one.rank}" if several else "", place_of(one), updates(one, glyphs)) if part]
    role = ROLES[one.severity]
    head: Line = (Span(f" {fold} ", "dim"), Span(f"{'!' if one.severity != 'info' else glyphs.dot} ", role))
    while parts and 8 + wide + cell_len("  ".join(parts)) > width:
        parts.pop()  # the rule is told whole
    tail = "  ".join(parts)
    room = width - 10 - wide - cell_len(tail)
    if room < _NAMED:
        line = (*head, Span(f"{one.rule:<{wide}}  ", role), Span(plain(tail), "dim"))
        return clipped(line, width - 1, glyphs.ellipsis)
    words = by_clauses(plain(one.message), room, 1, glyphs.ellipsis)[0]
    return (
        *head,
        Span(f"{one.rule:<{wide}}  ", role),
        Span(padded(words, room, glyphs.ellipsis)),
        Span(f"  {plain(tail)}", "dim"),
    )


def _in_full(one: Finding, width: int, glyphs: Glyphs) -> list[Line]:
    """All that is known of a finding, below its head."""
    lines: list[Line] = []
    room = max(8, width - 6)
    for line in wrapped(plain(one.message), room, 20, glyphs.ellipsis):
        lines.append((Span(f"     {line}", "strong"),))
    narrow = max(8, room - _LABELS)
    parts = (("fix", one.fix), ("cause", one.cause), ("evidence", one.evidence))  # what to do first: room may be short
    for label, words in (*parts, ("more", f"docs/rules/{one.rule}.md")):
        pieces = [line for part in words.split("\n") for line in wrapped(plain(part), narrow, 20, glyphs.ellipsis)]
        for number, line in enumerate(pieces):
            name = label if number == 0 else ""
            lines.append((Span(f"     {name:<{_LABELS}}", "dim"), Span(line, "sentence" if label == "fix" else "")))
    return lines


def place_of(one: Finding) -> str:
    """`train.py:31`; empty where no line is known."""
    return f"{one.file.rpartition('/')[2]}:{one.line}" if one.line else ""


def in_words(one: Finding) -> str:
    """All of it, for the clipboard."""
    lines = [f"{one.severity}  {one.rule}  {place_of(one)}", one.message]
    parts = (("evidence", one.evidence), ("cause", one.cause), ("fix", one.fix))
    return "\n".join([*lines, *(f"{label}: {words}" for label, words in parts if words)])


def draw(snapshot: Snapshot, frame: Frame, opened: Collection[object]) -> Drawing:
    """The panel; its body has a row per line."""
    found = sorted_findings(snapshot)
    counts = [(one, sum(each.severity == one for each in found)) for one in ORDER]
    title = ", ".join(f"{n} info" if level == "info" else plural(n, level) for level, n in counts if n) or "none"
    head = _toggle(snapshot, frame)
    if not found:
        return Drawing((Span(title, "dim"),), (head,), _lesson(snapshot, frame), 0)
    all_rows = rows(snapshot, opened, frame.width, frame.glyphs)
    remark = (f" {_when(snapshot)}",) if frame.height > len(all_rows) + 2 else ()
    foot: tuple[Line, ...] = tuple(clipped((Span(one, "faint"),), frame.width, frame.glyphs.ellipsis) for one in remark)
    height = max(0, frame.height - 1 - len(foot))
    body = tuple(
        _with_cursor(row, index == frame.cursor, frame)
        for index, row in enumerate(all_rows[frame.top : frame.top + height], frame.top)
    )
    return Drawing((Span(title, "dim"),), (head,), body, len(all_rows), foot)


def _with_cursor(row: Row, here: bool, frame: Frame) -> Line:
    line = row.line
    if here:
        sign = Span(frame.glyphs.cursor, "cursor" if frame.focused else "dim")
        line = (sign, line[0]._replace(text=line[0].text[1:]), *line[1:])
    return lit(line, 1) if here and frame.focused else line


def _when(snapshot: Snapshot) -> str:
    """When the rules look."""
    if (point := stopping(snapshot)) is not None and point.enabled:
        return "the rules look at every phase, also where nothing stops"
    return f"the rules look while you step; `stepdbg check {plain(snapshot.session.script)}` looks at every update"


def _lesson(snapshot: Snapshot, frame: Frame) -> tuple[Line, ...]:
    """What an empty panel says: that nothing was found so far, and how far that goes."""
    nxt, finish, free = (snapshot.key(one) for one in ("next", "finish", "continue"))
    words = [
        "Nothing found so far.",
        f"The rules look at each phase while you step ({nxt}, {finish}); in a free run ({free}) they are off: "
        f"`stepdbg check {plain(snapshot.session.script)}` looks at every update. What they find has a line under the "
        "sentence, and a row here with its evidence, its cause and the fix.",
    ]
    room, most = max(1, frame.width - 2), max(1, frame.height - 1)
    lines = [line for part in words for line in wrapped(part, room, most)][:most]
    return tuple((Span(f" {line}", "dim"),) for line in lines)


def _toggle(snapshot: Snapshot, frame: Frame) -> Line:
    """Whether training stops for a new finding, and the key that changes it."""
    point, glyphs = stopping(snapshot), frame.glyphs
    on = point is not None and point.enabled
    key = snapshot.key("stop_on_finding")
    words = "stops at each new finding, which is slower" if on else "stop where a rule finds something new"
    target = ActionTarget("stop_on_finding")
    sign = Span(f" {glyphs.breakpoint if on else glyphs.switched_off} ", "breakpoint" if on else "dim", target)
    line: Line = (sign, Span(f"{key} ", "key", target), Span(words, "" if on else "dim", target))
    return clipped(line, frame.width, glyphs.ellipsis)
