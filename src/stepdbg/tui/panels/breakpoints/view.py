"""Panel 8: the breakpoints, what is watched, and the edits made, newest last."""

from __future__ import annotations

from typing import NamedTuple

from stepdbg.protocol.breakpoint_text import describe, noted_words
from stepdbg.protocol.messages import Breakpoint, Edit, Noted
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import Drawing, Frame, Glyphs, Line, Span, Target, plain, shortened, shortened_name
from stepdbg.tui.drawing.numbers import plural
from stepdbg.tui.panels.breakpoints.watches import watch_line
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.watched import WatchReading, readings
from stepdbg.tui.words.edits import change_words, object_words
from stepdbg.tui.words.goal import is_over


class SwitchTarget(Target, frozen=True):
    """A breakpoint or a watch is to be switched on or off."""

    number: int


_WATCHED, _EDITS, _NOTED = "watched", "edits", "noted, the newest first"
"""The headings."""


class Item(NamedTuple):
    """A row of the panel."""

    breakpoint: Breakpoint | None = None
    watch: WatchReading | None = None
    edit: Edit | None = None
    noted: Noted | None = None
    words: str = ""


def items(snapshot: Snapshot) -> list[Item]:
    """The rows of the panel, top to bottom."""
    session = snapshot.session
    found = [Item(breakpoint=one) for one in session.breakpoints]
    if not found:
        found.append(Item(words=f"No breakpoints. Press {snapshot.key('break')} on a phase."))
    if watches := readings(snapshot):
        found.append(Item(words=_WATCHED))
        found += [Item(watch=one) for one in watches]
    else:
        found.append(Item(words=f"Nothing is watched. Press {snapshot.key('watch')} on a tensor or a variable."))
    if session.edits:
        found.append(Item(words=_EDITS))
        found += [Item(edit=one) for one in session.edits]
    if snapshot.noted:
        found.append(Item(words=_NOTED))
        found += [Item(noted=one) for one in reversed(snapshot.noted)]
    return found


def _fitting(edit: Edit, width: int, glyphs: Glyphs) -> str:
    """The edit in so many cells: the expression gives way first, then the beginning of the name, the numbers last."""
    change = change_words(edit, glyphs)
    words = f"{object_words(edit)}  {change}  ({edit.expression})"
    if cell_len(words) <= width:
        return plain(words)
    name = shortened_name(plain(object_words(edit)), max(6, width - cell_len(change) - 2), glyphs.ellipsis)
    return shortened(f"{name}  {plain(change)}", width, glyphs.ellipsis)


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel; its body has a row per item."""
    rows = items(snapshot)
    session = snapshot.session
    title = plural(len(session.breakpoints), "breakpoint") if session.breakpoints else "none"
    if session.watches:
        title += f", {plural(len(session.watches), 'watch', 'watches')}"
    if session.edits:
        title += f", {plural(sum(not (edit.undone or edit.lapsed) for edit in session.edits), 'edit')}"
    body = tuple(
        _line(item, index == frame.cursor, frame, several=len(session.ranks) > 1, over=is_over(snapshot))
        for index, item in enumerate(rows[frame.top : frame.top + frame.height], frame.top)
    )
    return Drawing((Span(title, "dim"),), (), body, len(rows))


def _line(item: Item, here: bool, frame: Frame, *, several: bool, over: bool) -> Line:
    glyphs = frame.glyphs
    cursor = Span(glyphs.cursor if here else " ", "cursor" if frame.focused else "dim")
    emphasis = "here" if here and frame.focused else ""
    if item.breakpoint is not None:
        one = item.breakpoint
        sign = glyphs.breakpoint if one.enabled else glyphs.switched_off
        hits = f"  met {plural(one.hits, 'time')}" if one.hits else "  not met yet" if one.met_nothing else ""
        off = "" if one.enabled else "off"
        hits = f"  {'never met' if over else 'on the way'}" if one.goal and one.enabled else hits
        remark = f"  {plain(one.remark)}" if one.remark else ""
        if cell_len(f"{plain(describe(one))}{hits}{remark}") > frame.width - 6:
            remark = remark.partition(":")[0]
        tail = plain(one.problem) or f"{off}{hits}{remark}".strip()
        tail = shortened(tail, max(0, frame.width - 12), glyphs.ellipsis)
        words = shortened(plain(describe(one)), max(8, frame.width - cell_len(tail) - 6), glyphs.ellipsis)
        return (
            cursor, Span(f" {sign} ", "breakpoint" if one.enabled else "dim", SwitchTarget(one.number)),
            Span(words, emphasis or ("" if one.enabled else "dim")),
            Span(f"  {tail}" if tail else "", "error" if one.problem else "dim"),
        )  # fmt: skip
    if item.watch is not None:
        target = SwitchTarget(item.watch.watch.number)
        return (cursor, *watch_line(item.watch, frame.width - 1, emphasis, target, glyphs))
    if item.edit is not None:
        after = f"  update {item.edit.update}"
        after += "  undone" if item.edit.undone else "  gone" if item.edit.lapsed else ""
        words = _fitting(item.edit, max(4, frame.width - len(after) - 4), glyphs)
        stands = not (item.edit.undone or item.edit.lapsed)
        return (cursor, Span(f"   {words}", emphasis or ("" if stands else "dim")), Span(after, "dim"))
    if item.noted is not None:
        words = noted_words(item.noted, several=several)
        return (cursor, Span(f"   {shortened(plain(words), frame.width - 4, glyphs.ellipsis)}", emphasis))
    role = "heading" if item.words in (_WATCHED, _EDITS, _NOTED) else "dim"
    return (cursor, Span(f" {shortened(item.words, frame.width - 2, glyphs.ellipsis)}", role))
