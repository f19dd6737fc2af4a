"""The base of all panels: a title, a head that stays, a body that scrolls under a cursor.

A panel is a thin thing: it turns keys, clicks and the wheel into a cursor, and leaves the drawing to its view. What it
needs to know it says as `queries`; whoever owns it asks.
"""

from __future__ import annotations

from collections.abc import Callable

from textual import events
from textual.geometry import Size
from textual.message import Message

from stepdbg.protocol.messages import Breakpoint
from stepdbg.tui.drawing.cells import cell_len
from stepdbg.tui.drawing.lines import UNICODE, Drawing, Frame, Glyphs, Line, Span, titled, width_of
from stepdbg.tui.drawing.marks import sign_of_news
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.panel_base.registry import DIGITS, NAMES, SHORT_NAMES
from stepdbg.tui.state.panel_queries import PanelQuery
from stepdbg.tui.state.selection import Copied, Editable
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import PanelTarget
from stepdbg.tui.state.watched import watch_of


class Panel(Sheet, can_focus=True):
    """One numbered panel."""

    DEFAULT_CSS = """
    Panel { width: 1fr; height: 1fr; }
    """
    panel = ""
    """The name of the panel's place on the screen, in which another panel may stand in for it."""
    of_the_moment = True
    """Whether what the panel shows is of one stop; then its title says when that is a past one."""
    shows_answers = False
    """Whether the panel shows little but answers: at a new stop it is drawn when they are here, or at once in focus."""
    costly = False
    """Whether the panel's answers may take long: then they are asked for last."""

    class CursorMoved(Message):
        """The cursor or the window has moved: other things are to be asked."""

        def __init__(self, panel: Panel) -> None:
            super().__init__()
            self.panel = panel

    class Opened(Message):
        """An object is to be shown in the Tensor panel."""

        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

    def __init__(self, palette: Palette, glyphs: Glyphs = UNICODE) -> None:
        super().__init__(palette)
        self.glyphs = glyphs
        self.snapshot: Snapshot | None = None
        self.top = 0
        self.cursor = 0
        self.body_rows = 1
        """Rows of the body that fit, as last drawn."""
        self.total = 0
        self.alone = False
        """Whether the tabs name the panel already."""
        self.slot_panels: tuple[str, ...] = ()
        """The panels that share this panel's slot, this one among them; empty where the slot is its own."""
        self.room = Size(0, 0)
        """The panel's size in cells, or the size that it will have as soon as it is on the screen."""
        self.element_at_hand: Callable[[], Editable | None] = lambda: None
        """Gives the element that is edited where the Tensor panel is in focus, for panels that show more of it."""
        self._head = 0
        self._drawn: tuple[Snapshot | None, bool, bool, tuple[str, ...]] = (None, False, False, ())
        """What the panel was last drawn from, besides its own cursor and views: see `_draws_from`."""

    # what a panel of its own says

    def drawing(self, snapshot: Snapshot, frame: Frame) -> Drawing:
        """What the view makes of the snapshot."""
        raise NotImplementedError

    def queries(self, snapshot: Snapshot) -> list[PanelQuery]:
        """The questions whose answers the panel needs to be drawn."""
        return []

    def editable(self) -> Editable | None:
        """What `e` edits under the cursor."""
        return None

    def may_edit(self) -> bool:
        """Whether there is something to edit, or will be as soon as an answer is here."""
        return self.editable() is not None

    def chosen(self) -> str:
        """The object under the cursor that enter opens, or an empty string."""
        return ""

    def to_come(self) -> bool:
        """Whether the rows that the cursor is to be on are asked for and not here yet."""
        return False

    def tensor_at_hand(self) -> str:
        """The tensor whose owners `a` shows: the one under the cursor, or an empty string."""
        return self.chosen()

    def showing(self) -> str:
        """The name of the view that is shown; empty where the panel has only one."""
        return ""

    @property
    def came_from(self) -> str:
        """The panel that `escape` leads back to, where this one is only shown for a while."""
        return ""

    def show_first(self) -> None:
        """Show the panel's first view, where there are several: the panel's key was pressed."""

    def selected_view(self) -> str:
        """The name of the view that was chosen, be it shown beside another."""
        return self.showing()

    def breakpoint(self) -> Breakpoint | None:
        """The breakpoint under the cursor."""
        return None

    def phase(self) -> str | None:
        """The phase under the cursor, that `b` sets a breakpoint on; None where the rail's is meant."""
        return None

    def module(self) -> str:
        """The module within a model that is under the cursor; empty for none."""
        return ""

    def line(self) -> tuple[str, int] | None:
        """The file, as the user would write it, and the number of the line of code under the cursor."""
        return None

    def no_line(self) -> str:
        """Why training cannot be stopped at the line under the cursor."""
        return ""

    def watchable(self) -> str:
        """The expression that `w` proposes to watch, for what is under the cursor; empty where that is nothing."""
        name = self.selected_object() or self.tensor_at_hand()
        return watch_of(name, self.snapshot) if self.snapshot is not None else ""

    def switchable(self) -> bool:
        """Whether the cursor is on something that is on or off."""
        return self.breakpoint() is not None

    def has_selection(self) -> bool:
        """Whether enter or space has something to act on."""
        return bool(self.chosen()) or self.switchable()

    def offers(self) -> frozenset[str]:
        """Ids of the actions that only the panel knows to apply here."""
        return frozenset({"copy"}) if self.copied() is not None else frozenset()

    def copied(self) -> Copied | None:
        """What `y` copies: the row under the cursor, unless the panel knows better."""
        lines = self.text().splitlines()
        row = 1 + self._head + self.cursor - self.top
        words = lines[row].strip(f" {self.glyphs.cursor}") if 0 < row < len(lines) else ""
        return Copied("the row", words) if words else None

    def copied_more(self) -> Copied:
        """What `Y` copies: what the panel shows."""
        return Copied(f"the panel {NAMES[self.panel]}", self.text())

    def selected_object(self) -> str:
        """The name of the tensor that is selected here, to be saved; empty where none is."""
        return self.chosen()

    def snapshot_changed(self, before: Snapshot | None, snapshot: Snapshot) -> None:
        """Called before a new snapshot is drawn: keep the selection where it belongs."""

    # drawing

    @property
    def typing(self) -> bool:
        """Whether keys go to an input on the panel."""
        return False

    @property
    def in_focus(self) -> bool:
        """Whether the keys come here."""
        return self.has_focus

    def set_snapshot(self, snapshot: Snapshot) -> None:
        """Take a new snapshot; what it draws is another matter."""
        before, self.snapshot = self.snapshot, snapshot
        if before is not snapshot:
            self.snapshot_changed(before, snapshot)

    def show(self, snapshot: Snapshot) -> None:
        """Take a new snapshot and repaint what has changed. A cursor or a view that has changed was repainted then."""
        self.set_snapshot(snapshot)
        (drawn, *around), (current, *now) = self._drawn, self._draws_from()
        if drawn is not current or around != now:
            self.repaint()

    def _draws_from(self) -> tuple[Snapshot | None, bool, bool, tuple[str, ...]]:
        """The snapshot, whether the keys come here, and what the title says of the panels around."""
        return self.snapshot, self.in_focus, self.alone, self.slot_panels

    def frame(self, width: int, height: int) -> Frame:
        """Where to draw."""
        return Frame(width, height - 1, self.top, self.cursor, 0, self.in_focus, self.glyphs)

    def lines(self, width: int, height: int) -> list[Line]:
        """The title, the head, the body."""
        self._drawn = self._draws_from()
        if self.snapshot is None:
            return [self._title((), width)]
        drawing = self.drawing(self.snapshot, self.frame(width, height))
        self._head = len(drawing.head)
        self.body_rows = max(1, height - 1 - self._head - len(drawing.foot))
        self.total = drawing.total
        if drawing.total:  # while there is nothing to show (yet), the cursor stays where it is to be again
            self.cursor = max(0, min(self.cursor, drawing.total - 1))
        top = self.kept_in_view()
        if top != self.top:
            self.top = top
            drawing = self.drawing(self.snapshot, self.frame(width, height))
        lines = [self._title(drawing.title, width), *drawing.head, *drawing.body]
        if drawing.foot:
            lines += [()] * (height - len(lines) - len(drawing.foot))
            lines[max(1, height - len(drawing.foot)) :] = drawing.foot
        return lines

    def kept_in_view(self) -> int:
        """The first row to show so that the cursor is in view."""
        top = min(self.top, self.cursor)
        if self.cursor >= top + self.body_rows:
            top = self.cursor - self.body_rows + 1
        return max(0, min(top, self.total - self.body_rows))

    def _title(self, words: Line, width: int) -> Line:
        focused = ".focused" if self.in_focus else ""
        label: Line = (Span(" "),) if self.alone else self._names(focused)
        position = self.position()
        if self.of_the_moment and self.snapshot is not None and self.snapshot.looking_back:
            label = (*label, Span("past ", "past"))
        left = (*titled((*label, *words), max(0, width - len(position) - 2), self.glyphs.ellipsis), Span(" "))
        rest = width - width_of(left) - cell_len(position)
        sign = self.glyphs.rule_focused if self.in_focus else self.glyphs.rule
        rule = Span(sign * max(0, rest), f"rule{focused}")
        return (*left, rule, Span(position, "dim"))

    def position(self) -> str:
        """The rows in view, in words for the title; empty where all are."""
        if self.total <= self.body_rows:
            return ""
        return f" {self.top + 1}-{min(self.total, self.top + self.body_rows)} of {self.total} "

    def _names(self, focused: str) -> Line:
        """The panel's number and name, among those of the panels that it stands in front of."""
        spans = []
        for name in self.slot_panels or (self.panel,):
            role = f"title{focused}" if name == self.panel else "tab"
            here = self.glyphs.cursor if focused and name == self.panel else " "
            if name == "output" != self.panel and self.snapshot is not None:
                news = sign_of_news(self.snapshot.news, self.glyphs)
                spans.append(Span(news, "warning", PanelTarget("output")))
                here = ""
            words = NAMES[name] if name == self.panel else SHORT_NAMES.get(name, NAMES[name])
            spans.append(Span(f"{here}{DIGITS[name]} {words} ", role, PanelTarget(name) if self.slot_panels else None))
        if self.slot_panels:
            spans.append(Span(f"{self.glyphs.column} ", "rule"))
        return tuple(spans)

    # moving

    def move(self, rows: int, columns: int = 0) -> None:
        """Move the cursor."""
        self.cursor = max(0, min(self.cursor + rows, self.total - 1))
        self.moved()

    def page(self, pages: int) -> None:
        """Move by what fits."""
        self.move(pages * max(1, self.body_rows - 1))

    def go_to(self, end: int) -> None:
        """Move the cursor to the first row (0) or the last (-1)."""
        self.cursor = 0 if end == 0 else max(0, self.total - 1)
        self.moved()

    def moved(self) -> None:
        """Repaint, and say that other things may be needed."""
        self.repaint()
        self.post_message(self.CursorMoved(self))

    def scrolled(self, rows: int) -> None:
        """Scroll the body, and take the cursor along."""
        before = self.top
        self.top = max(0, min(self.top + rows, self.total - self.body_rows))
        if self.top != before:
            self.cursor = max(self.top, min(self.cursor, self.top + self.body_rows - 1))
            self.moved()

    def row_clicked(self, row: int) -> None:
        """A row of the body was clicked."""
        if row < self.total:
            self.cursor = row
            self.moved()

    def on_mouse_scroll_down(self, event: events.MouseScrollDown) -> None:
        """The wheel scrolls."""
        event.stop()
        self.scrolled(3)

    def on_mouse_scroll_up(self, event: events.MouseScrollUp) -> None:
        """The wheel scrolls."""
        event.stop()
        self.scrolled(-3)

    def on_click(self, event: events.Click) -> None:
        """A click focuses (Textual does that) and selects; a second one opens.

        What the line says that was clicked, `Sheet` tells: Textual calls the handlers of the base classes as well.
        """
        row = event.y - 1 - self._head
        if row >= 0:
            if row < self.body_rows:
                self.row_clicked(self.top + row)
            if event.chain == 2 and (name := self.chosen()):
                self.post_message(self.Opened(name))

    def on_resize(self, event: events.Resize) -> None:
        """Other rows are in view, and must be asked for. (Textual calls this of every base class, `Sheet` last.)"""
        self.repaint()
        self.post_message(self.CursorMoved(self))

    def come_back(self) -> None:
        """Prepare for the focus: the key that leads out of a panel comes back to this one."""

    def watch_has_focus(self, has_focus: bool) -> None:
        """The cursor shows while the panel has the focus, and fades when it has gone elsewhere."""
        super().watch_has_focus(has_focus)
        self.repaint()
