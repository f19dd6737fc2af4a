"""The panels as they stand on the screen: mounted after the first frame, arranged by size, cycled through by tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol, TypeVar

from textual.css.query import NoMatches
from textual.geometry import Size

from stepdbg.tui.actions.action import ActionContext
from stepdbg.tui.layout.arrangement import COLUMNS, Arrangement, Box, arranged, boxes, order
from stepdbg.tui.layout.bars import Footer, HintLine, Tabs
from stepdbg.tui.layout.mounted_panels import MountedPanels, PaintingHost
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panel_base.registry import DIGITS, PANELS
from stepdbg.tui.panel_base.trail import Trail
from stepdbg.tui.state.selection import Editable
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top.ranks import several
from stepdbg.tui.top.top import Top
from stepdbg.tui.top.watches import watched

P = TypeVar("P", bound=Panel)
HINTED = 20
"""Rows from which on there is room for the line of the hints."""


class LayoutHost(PaintingHost, Protocol):
    """The app, as far as it says what the lines at the bottom show."""

    @property
    def status(self) -> tuple[str, int]:
        """What was said quietly last, and the boundary at which it was."""
        ...

    def call_after_refresh(self, callback: Callable[[], None]) -> bool:
        """Call that when what has changed is on the screen."""
        ...

    def action_context(self) -> ActionContext:
        """What the applicability of actions is judged by."""
        ...

    def hint(self) -> str:
        """What the hint for newcomers says now."""
        ...


class PanelLayout:
    """Where the panels stand, and which of them are to be seen."""

    def __init__(self, app: LayoutHost) -> None:
        self._app = app
        self._mounted = MountedPanels(app, self._element_at_hand)
        self.recent: list[str] = ["model"]
        """The panels as they were gone to, the newest first: it is the one that has the focus, or had it last."""
        self.trail = Trail()
        """The panels that were left for others."""
        self._came_forward = ""
        """The panel that came to the front by itself; empty when none has."""
        self._before: list[str] = []
        """The panels in the user's order, newest first, before one came to the front by itself."""
        self.zoomed = False
        self.arrangement = Arrangement("tabs", 7)
        self._boxes: dict[str, Box] = {}
        """Where each panel stands that is seen."""
        self._lines = (False, False)
        """Whether the top has a line for the ranks, and one for what is watched."""

    async def mount_panels(self) -> None:
        """Have the panels that there is room for mounted. The first frame is on the screen by now, or the app has ended
        before it.
        """
        app = self._app
        body = app.screen_stack[0].query_one("#body") if app.screen_stack else None
        if body is None or not body.is_attached:
            return
        self._mounted.ready = True
        self.arrange(app.size)
        await self._mounted.mount_in(body)
        self.go_to(self.current, noted=False)
        app.hub.tell_terminal_size()
        app.call_after_refresh(self._load_next)

    def _load_next(self) -> None:
        """Load the other panels' modules one by one: what the terminal and the hub send meanwhile comes in between."""
        if self._mounted.load_next():
            self._app.call_after_refresh(self._load_next)

    @property
    def current(self) -> str:
        """The panel that was gone to last."""
        return self.recent[0]

    def arrange(self, size: Size) -> None:
        """Divide the screen for a size."""
        self._lines = _lines_of_top(self._app.snapshot)
        ranks, watches = self._lines
        self.arrangement = arrangement = arranged(size.width, size.height, self.zoomed, ranks=ranks, watches=watches)
        tabbed = arrangement.kind == "tabs"
        hinted = self._app.hinted and size.height >= HINTED and arrangement.kind != "tiny"
        room = size.height - arrangement.top - tabbed - hinted - 1
        self._boxes = boxes(arrangement.kind, size.width, room, order(self._mounted.places(), self.recent))
        seen = [self.at(name) for name in self._boxes]
        base = self._app.screen_stack[0]
        try:
            top, tabs, body = self.top, base.query_one(Tabs), base.query_one("#body")
            base.query_one(HintLine).set_class(not hinted, "hidden")
        except NoMatches:
            return
        top.styles.height = arrangement.top
        tabs.set_class(not tabbed, "hidden")
        body.set_class(arrangement.kind == "tiny", "hidden")
        for panel in self._mounted.all:
            box = self._boxes.get(panel.panel)
            panel.set_class(panel not in seen, "hidden")
            panel.alone = tabbed
            if box is not None:
                panel.slot_panels = box.slot_panels
                panel.room = Size(box.width, box.height)
                panel.styles.offset = (box.x, box.y)
                panel.styles.width, panel.styles.height = box.width, box.height
        if base.focused is None and self.current in self._boxes and self.at(self.current).is_attached:
            base.set_focus(self.at(self.current))  # it was hidden while there was no room

    def arrange_anew(self) -> None:
        """Something else than the size has changed what there is room for."""
        self.arrange(self._app.size)
        self._app.paint()

    @property
    def has_columns(self) -> bool:
        """Whether there is room for several panels at once."""
        size = self._app.size
        return arranged(size.width, size.height).kind in COLUMNS

    @property
    def top(self) -> Top:
        """Header, rail and sentence."""
        return self._app.screen_stack[0].query_one(Top)

    def is_shown(self, name: str) -> bool:
        """Whether a panel is on the screen."""
        return name in self._boxes

    def visible(self) -> list[Panel]:
        """The panels on the screen."""
        return [self.at(name) for name in self._mounted.places() if self.is_shown(name)]

    def informed(self) -> list[Panel]:
        """The panels on the screen, and those whose place one of them has taken."""
        return [panel for panel in self._mounted.all if self.is_shown(panel.panel)]

    @property
    def panels(self) -> Mapping[str, Panel]:
        """By place the panel that stands there; places that nobody has looked at yet are left out."""
        return self._mounted.in_place

    def at(self, place: str) -> Panel:
        """The panel that stands in a place, mounted if it has not been yet."""
        return self._mounted.at(place)

    def panel(self, kind: type[P]) -> P:
        """The panel of that class, mounted if it has not been yet."""
        return self._mounted.of_class(kind)

    def _element_at_hand(self) -> Editable | None:
        """The element that is edited where the Tensor panel is in focus."""
        panel = self.panels.get("tensor")
        return panel.editable() if panel is not None else None

    def put(self, panel: Panel) -> None:
        """Have a panel stand in its place, instead of the other that belongs there; the focus stays in the place."""
        before = self.at(panel.panel)
        if before is not panel:
            self._mounted.in_place[panel.panel] = panel
            if self._app.screen_stack[0].focused is before:
                self._app.screen_stack[0].set_focus(panel)
            self.arrange(self._app.size)

    def show(self, snapshot: Snapshot, *, arriving: bool = False) -> None:
        """Draw a snapshot wherever it is to be seen; one that is `arriving` not where only answers are
        shown, which have not been asked for yet.
        """
        base = self._app.screen_stack[0]
        if _lines_of_top(snapshot) != self._lines:
            self.arrange(self._app.size)
        if self.is_shown("output") and snapshot.read_to < snapshot.output.end:
            self._app.snapshot = self._app.snapshot.with_output_read()
            snapshot = self._app.seen
        self.top.show(snapshot)
        for panel in self.visible():
            if not (arriving and panel.shows_answers and not panel.in_focus):
                panel.show(snapshot)
                for behind in self._mounted.all:
                    if behind.panel == panel.panel:
                        behind.set_snapshot(snapshot)
        if self.arrangement.kind == "tabs":
            news = snapshot.news
            unzoom = self._app.snapshot.key("zoom") if self.zoomed and self.has_columns else ""
            base.query_one(Tabs).show(self.current, zoomed=unzoom, news=news)
        if self._app.hinted:
            base.query_one(HintLine).show(self._app.hint(), self._app.snapshot.key("no_hints"))
        self._show_footer(snapshot)

    def _show_footer(self, snapshot: Snapshot) -> None:
        """Draw the last line: the keys that apply, what there is no room for, or the status."""
        footer = self._app.screen_stack[0].query_one(Footer)
        footer.show(self._app.action_context(), self._hidden(snapshot), self._status())

    def _status(self) -> str:
        """What was said quietly last, unless training has moved since."""
        words, at = self._app.status
        return words if at == self._app.snapshot.boundary else ""

    def paint_status(self) -> None:
        """Draw the last line, if something else than before is to be said there; all else is as it was."""
        if self._app.screen_stack[0].query_one(Footer).status != self._status():
            self._show_footer(self._app.seen)

    def _hidden(self, snapshot: Snapshot) -> str:
        """What there is no room for, and whether something was printed there."""
        hidden = self.arrangement.hidden
        output = self._app.snapshot.key("panel_output")
        return f"{hidden}; {snapshot.news} in {output}" if hidden and snapshot.news else hidden

    def go_to(self, name: str, view: str | None = None, *, noted: bool = True) -> None:
        """Bring a panel to the front of its slot and put the focus on it.

        Args:
            name: The panel.
            view: What is opened there, for the way back.
            noted: Whether this is a step that `esc` takes back.
        """
        if noted and self._mounted.ready:
            self.trail.note(self.focused_name(), name, view)
        if self.recent[0] != name:
            self.recent = [name, *(other for other in self.recent if other != name)]
        self.arrange(self._app.size)
        if self._mounted.ready:
            base, panel = self._app.screen_stack[0], self.at(name)
            moves = base.focused is not panel
            base.set_focus(panel)
            self._app.hub.ask()
            if not moves or base.focused is not panel:  # otherwise the app paints when the focus has arrived
                self._app.paint()

    def _came(self, name: str) -> None:
        """The focus is on that panel, by a click if it was not known yet."""
        if self.recent[0] != name:
            self.trail.note(self.recent[0], name)
            self.recent = [name, *(other for other in self.recent if other != name)]

    def restore(self, recent: Sequence[str], *, zoomed: bool) -> None:
        """Have the panels in front that were in front before, newest first; names that no panel has are left out."""
        known = [name for name in dict.fromkeys(recent) if name in DIGITS]
        if known:
            self.recent, self.zoomed = known, zoomed
            if self._mounted.ready:
                self.go_to(self.current, noted=False)

    def go_back(self, origin: str = "") -> None:
        """Go to where the panel in focus was come to from; to `origin`, where that is known better."""
        here = self.focused_name()
        if here == "rail":
            self.go_to(self.current, noted=False)
            return
        step = self.trail.last(here)
        origin = origin or (step.origin if step is not None else "")
        if step is not None and step.origin == origin:
            self.trail.back(here)
        if origin == "rail":
            self.go_to_rail()
        elif origin:
            self.at(origin).come_back()
            self.go_to(origin, noted=False)

    @property
    def chosen(self) -> list[str]:
        """The panels as the user went to them, without what came to the front by itself and is there still."""
        return self._before if self._came_forward and self._came_forward == self.current else self.recent

    def bring_to_front(self, name: str) -> None:
        """Have that panel seen, where it is not; what the user had in front is not forgotten."""
        if not self.is_shown(name):
            self._before, self._came_forward = list(self.chosen), name
            self.go_to(name)

    def restore_front(self) -> None:
        """What came to the front by itself has had its time."""
        before, self._came_forward = self.chosen, ""
        if before is not self.recent:
            self.recent = before
            self.go_to(self.current, noted=False)

    def go_to_rail(self) -> None:
        """Put the focus on the rail."""
        self._app.screen_stack[0].set_focus(self.top)

    def zoom(self) -> None:
        """Show one panel alone, or all again."""
        self.zoomed = not self.zoomed
        self.go_to(self.current, noted=False)

    def cycle(self, step: int) -> None:
        """The next panel by number, then the rail, and round again."""
        order = [*PANELS.values(), "rail"]
        name = order[(order.index(self.focused_name()) + step) % len(order)]
        if name == "rail":
            self.go_to_rail()
        else:
            self.go_to(name)

    def focused_name(self) -> str:
        """The name of what has the focus."""
        if not self._app.screen_stack:
            return self.current
        focused = self._app.screen_stack[0].focused
        if isinstance(focused, Top):
            return "rail"
        around = focused.ancestors_with_self if focused is not None else ()
        panel = next((one for one in around if isinstance(one, Panel)), None)
        if panel is not None:
            self._came(panel.panel)
            return panel.panel
        return self.current

    def in_focus(self) -> Panel | None:
        """The panel that keys go to; None while the rail has them."""
        name = self.focused_name()
        return None if name == "rail" or not self.is_shown(name) else self.panels.get(name)

    def selected_object(self) -> str:
        """What the Tensor panel shows."""
        panel = self.panels.get("tensor")
        return panel.selected_object() if panel is not None else ""

    def owners_asked_for(self) -> bool:
        """Whether somebody has asked who owns a tensor, and has not gone back."""
        panel = self.panels.get("effects")
        return panel is not None and panel.selected_view() == "identity"

    def panel_text(self, name: str) -> str:
        """What a panel shows."""
        panel = self.panels.get(name)
        return (panel.text() if panel is not None else self.top.text()) + "\n"

    def output_size(self, size: Size) -> tuple[int, int]:
        """Columns and rows for the script's terminal."""
        panel = self.panels.get("output")
        if panel is not None and self.is_shown("output") and panel.size.width > 2:
            return panel.size.width - 1, max(2, panel.size.height - 1)
        if self.arrangement.kind == "wide":
            return max(20, size.width // 3 - 1), max(2, size.height // 3)
        if self.arrangement.kind == "medium":
            return size.width // 2 - 1, max(2, size.height // 4)
        return max(2, size.width - 1), max(2, size.height - 10)


def _lines_of_top(snapshot: Snapshot) -> tuple[bool, bool]:
    """Whether the top has a line for the ranks, and one for what is watched."""
    return several(snapshot), watched(snapshot)
