"""What is always on top: the header, the phase rail, where there is room the strip of the timeline, the sentence."""

from __future__ import annotations

import time

from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, by_clauses, cropped, wrapped
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top import findings, header, phases, rail, ranks, timeline, watches
from stepdbg.tui.top.session_sentence import session_sentence, suspicion


class Top(Sheet, can_focus=True):
    """Header, rail and sentence; the rail has a cursor."""

    DEFAULT_CSS = """
    Top { height: 7; }
    """

    def __init__(self, palette: Palette, snapshot: Snapshot, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette, id="top")
        self.glyphs = glyphs
        self.snapshot = snapshot
        self.selected: int | None = None
        """The box that the rail's cursor is on; None follows the next phase."""
        self._drawn: tuple[int, int | None] | None = None
        """The identity of the snapshot and the box that the lines were last drawn from."""

    def show(self, snapshot: Snapshot) -> None:
        """Take a new snapshot; a step brings the rail's cursor back to the next phase."""
        if snapshot.boundary != self.snapshot.boundary:
            self.selected = None
        self.snapshot = snapshot
        if self._drawn != (id(snapshot), self.selected) or snapshot.state == "starting":  # whose seconds are counted
            self.repaint()

    def lines(self, width: int, height: int) -> list[Line]:
        """The lines of header, rail, strip and sentence, as many as fit, the most needed first."""
        self._drawn = (id(self.snapshot), self.selected)
        top = [header.draw(self.snapshot, width, time.time(), self.glyphs)]
        if ranks.several(self.snapshot) and height > 3:
            top.append(ranks.draw(self.snapshot, width, self.glyphs))
            height -= 1
        if watches.watched(self.snapshot) and height > 3:
            top.append(watches.draw(self.snapshot, width, self.glyphs))
            height -= 1
        strip: list[Line] = []
        if height >= rail.HEIGHT + 4:
            strip.append(timeline.draw(self.snapshot, width, self.glyphs))
            height -= 1
        drawn = rail.draw(self.snapshot, width, self.selected, self.has_focus, self.glyphs)
        told, doubt = session_sentence(self.snapshot, self.glyphs), suspicion(self.snapshot)
        wide = max(1, width - 2)
        room = 1
        if height > 1 + rail.HEIGHT:
            room = height - 1 - rail.HEIGHT
            found = findings.draw(self.snapshot, wide, room, self.glyphs)
            needed = len(wrapped(told, wide, height)) + (len(wrapped(f"! {doubt}", wide, height)) if doubt else 0)
            if needed + len(found) > room and (doubt or found or _is_fault(self.snapshot)):
                drawn = drawn[:-1]  # figures give way to words that would be cut: here it is the times
                room += 1
        found = findings.draw(self.snapshot, wide, max(1, room - 1), self.glyphs)
        left = max(0 if found else 1, room - 1 - len(found))
        doubts = wrapped(f"! {doubt}", wide, left, self.glyphs.ellipsis) if doubt and left else []
        below_it = len(found) + len(doubts)
        if len(wrapped(told, wide, height)) > room - below_it:
            told = session_sentence(self.snapshot, self.glyphs, brief=True)
        stop = self.snapshot.stop
        if stop is not None and stop.bad is not None:  # its last words matter most: who has made it
            words = wrapped(told, wide, max(1, room - below_it), self.glyphs.ellipsis)
        else:
            words = by_clauses(told, wide, room - below_it, self.glyphs.ellipsis)
        if not self.glyphs.braille:
            words = [line.replace("—", "-") for line in words]
        below = [cropped((Span(f" {line}", "sentence"),), width) for line in words]
        below += [cropped(line, width) for line in found]
        below += [cropped((Span(f" {line}", "warning"),), width) for line in doubts]
        if height <= 3:
            return [*top, drawn[0], *below][: len(top) - 1 + height]
        if height < 1 + rail.HEIGHT + 1:
            return [*top, drawn[0], drawn[1], *below][: len(top) - 1 + height]
        return [*top, *drawn, *strip, *below]

    def phase(self) -> str | None:
        """The phase that a breakpoint would be set on."""
        return phases.selected_phase(self.snapshot, self.selected)

    def select(self, step: int) -> None:
        """Move the rail's cursor."""
        boxes = phases.boxes(self.snapshot)
        if boxes:
            start = phases.next_box(boxes, self.snapshot) if self.selected is None else self.selected
            self.selected = max(0, min(len(boxes) - 1, start + step))
            self.repaint()

    def select_named(self, name: str) -> None:
        """Put the rail's cursor on a phase."""
        for index, box in enumerate(phases.boxes(self.snapshot)):
            if box.name == name:
                self.selected = index
                self.repaint()
                return

    def watch_has_focus(self, has_focus: bool) -> None:
        """The rail's cursor shows while the rail has the focus; when that goes, it follows the next phase again."""
        super().watch_has_focus(has_focus)
        if not has_focus:
            self.selected = None
        self.repaint()


def _is_fault(snapshot: Snapshot) -> bool:
    """Whether training has stopped for an exception or a bad value, of which no word is to be missing."""
    stop = snapshot.stop
    return stop is not None and (stop.failure is not None or stop.bad is not None)
