"""The Textual app: puts panels on the screen, paints what is known, and hands keys to the actions.

What it knows is one `Snapshot`; what it hears from the hub and asks of it is in `conversation`, what the user does in
`actions`.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

os.environ.setdefault("TEXTUAL_FPS", "15")  # read when Textual is imported; the hub was started before

from msgspec.structs import replace
from textual import events
from textual.app import ComposeResult, SystemCommand
from textual.binding import BindingType
from textual.command import CommandPalette, Provider
from textual.containers import Container
from textual.screen import Screen

from stepdbg.protocol.messages import SessionState
from stepdbg.tui.actions.action import Action, ActionContext, applicable, main_keys, shown_keys
from stepdbg.tui.actions.key_queue import KeyQueue
from stepdbg.tui.actions.registry import BY_ID
from stepdbg.tui.actions.typed_ahead import TypedAhead
from stepdbg.tui.actions.why_not import why_nothing
from stepdbg.tui.conversation import Conversation
from stepdbg.tui.drawing.lines import ASCII, UNICODE
from stepdbg.tui.drawing.pace import TICK, TOGETHER, Pace
from stepdbg.tui.drawing.palette import Palette
from stepdbg.tui.drawing.sheet import Sheet
from stepdbg.tui.files.script_state_store import ScriptStateStore
from stepdbg.tui.layout.bars import Footer, HintLine, Tabs
from stepdbg.tui.layout.panels import PanelLayout
from stepdbg.tui.onboarding.guide import Guide
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.settings.config import THEMES, Config
from stepdbg.tui.state.answers import IDENTITY
from stepdbg.tui.state.awaiting_input import Asking
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget
from stepdbg.tui.terminal.signals import heed_signals
from stepdbg.tui.terminal.terminal_app import TerminalApp
from stepdbg.tui.top.top import Top

if TYPE_CHECKING:
    from stepdbg.tui.actions.handlers.handlers import Handlers
    from stepdbg.tui.panels.console.input import ConsoleInput


def _commands() -> type[Provider]:
    from stepdbg.tui.actions.palette_commands import Commands

    return Commands


class StepdbgApp(TerminalApp[int], inherit_bindings=False):
    """The screen of one session."""

    CSS = """
    Screen { layers: base; }
    #body { height: 1fr; }
    .hidden { display: none; }
    .-plain Toast { border: none; }
    .-plain SearchIcon { display: none; }
    .-plain CommandPalette #--input, .-plain CommandPalette > Vertical, .-plain CommandList { border: none; }
    .-plain CommandPalette CommandList { border: none; scrollbar-size: 0 0; }
    """
    BINDINGS: ClassVar[list[BindingType]] = []
    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {_commands}
    ENABLE_COMMAND_PALETTE = False
    """Textual would bind its own key to it; ours is in the registry."""
    ALLOW_SELECT = False
    AUTO_FOCUS = None
    TITLE = "stepdbg"

    def __init__(
        self,
        folder: Path,
        *,
        ascii_only: bool = False,
        config: Config | None = None,
        notices: Sequence[str] = (),
        guided: bool = False,
    ) -> None:
        """The screen of the session in `folder`.

        Args:
            folder: Where its hub listens.
            ascii_only: Draw with plain characters, whatever the settings say.
            config: The user's settings.
            notices: What is to be told first.
            guided: Show the hints for newcomers, if the settings do not forbid it.
        """
        super().__init__(ansi_color="NO_COLOR" in os.environ or None)
        self.folder = folder
        self.config = config or Config()
        signs = UNICODE._replace(half_blocks="NO_COLOR" not in os.environ)
        self.glyphs = ASCII if ascii_only or self.config.ascii else signs
        self.set_class(not self.glyphs.braille, "-plain")
        self.notices = (*self.config.problems, *notices)
        """What is told first."""
        for key in {key for action in self.config.actions for key in action.keys}:
            self.bind(key, f"press('{key}')", show=False)
        if self.config.theme:
            self.theme = self.config.theme
        self.configured_theme = self.theme
        """The theme that is in force until the user chooses another."""
        script = folder.name.rpartition("-")[0] or folder.name
        starting = SessionState(folder.name, "", script, "starting", since=time.time())
        self.snapshot = Snapshot(starting, keys=main_keys(self.config.actions))
        self._seen = (self.snapshot, self.snapshot)
        self.hub = Conversation(self, folder)
        self.at_first_frame: Callable[[], object] = lambda: None
        """Called once, when the first frame is on the screen."""
        self.panel_layout = PanelLayout(self)
        self.script_state_store = ScriptStateStore(self)
        self.key_queue = KeyQueue(self, super().on_event)
        self.typed_ahead = TypedAhead(self.hub)
        self.guide = Guide(self, wanted=guided and self.config.hints)
        self.status = ("", 0)
        """What was said quietly last, and the boundary at which it was."""
        self._asking = Asking()
        self._pace = Pace(self.paint)

    # what is on the screen

    def compose(self) -> ComposeResult:
        """The first frame: header, rail and footer. The panels come after it."""
        palette = self.palette()
        yield Top(palette, self.snapshot, self.glyphs)
        yield Tabs(palette, self.glyphs)
        yield Container(id="body")
        yield HintLine(palette, self.glyphs)
        yield Footer(palette, self.action_context(), self.glyphs)

    @cached_property
    def handlers(self) -> Handlers:
        """What the actions call; loaded when the first frame is painted."""
        from stepdbg.tui.actions.handlers.handlers import Handlers

        return Handlers(self)

    async def do(self, action: Action) -> None:
        """Do an action. The caller has seen that it applies."""
        done = action.do(self.handlers)
        if done is not None:
            await done

    def palette(self) -> Palette:
        """The colours of the theme in force."""
        theme = self.current_theme
        colour = "NO_COLOR" not in os.environ
        return Palette(self.get_css_variables(), colour=colour, dark=theme.dark, ansi=theme.ansi)

    async def on_mount(self) -> None:
        """Connect, and mount the panels after the first frame."""
        heed_signals(self)
        self.theme_changed_signal.subscribe(self, lambda _: self._recolour())
        for remark in self.notices:
            self.notify(remark, severity="warning", timeout=12, markup=False)
        self.panel_layout.arrange(self.size)
        self.run_worker(self.hub.run(), exit_on_error=True)
        self.set_interval(TICK, self._tick)
        self.call_after_refresh(self._painted)

    async def _painted(self) -> None:
        """The first frame is on the screen: now all that it need not wait for."""
        self.at_first_frame()
        self.guide.begin()
        await self.panel_layout.mount_panels()

    def on_resize(self, event: events.Resize) -> None:
        """Arrange the panels for the new size; selections stay where they are."""
        self.panel_layout.arrange(event.size)
        self.hub.tell_terminal_size()
        self.paint()

    def _recolour(self) -> None:
        palette = self.palette()
        for sheet in self.screen_stack[0].query(Sheet):
            sheet.recolour(palette)
        self.script_state_store.save_if_changed()

    @property
    def chosen_theme(self) -> str:
        """The theme that the user has chosen on this screen; empty while it is the one of the settings."""
        return "" if self.theme == self.configured_theme else self.theme

    @chosen_theme.setter
    def chosen_theme(self, name: str) -> None:
        if name in self.available_themes:
            self.theme = name

    def welcomed(self) -> None:
        """The hub has said which session this is: what is kept of its script comes back."""
        self.script_state_store.open(self.snapshot.session.kept)

    @property
    def history(self) -> list[str]:
        """Lines that were typed into the console, oldest first; what is appended is kept with the script."""
        return self.script_state_store.history

    @property
    def hinted(self) -> bool:
        """Whether hints for newcomers are shown."""
        return self.guide.active

    def hint(self) -> str:
        """What the hint for newcomers says now."""
        return self.guide.look()

    def dismiss_hints(self) -> None:
        """No more hints, now or later."""
        self.guide.dismiss()

    @property
    def seen(self) -> Snapshot:
        """What is to be drawn: the present, or the past that is looked at."""
        snapshot, seen = self._seen
        if snapshot is not self.snapshot:
            seen = self.snapshot.seen
            self._seen = (self.snapshot, seen)
        return seen

    # painting

    def paint_within(self, seconds: float) -> None:
        """Paint no later than that; an earlier promise holds."""
        self._pace.within(seconds)

    def paint(self) -> None:
        """Have every visible sheet draw the snapshot; each repaints only what differs."""
        self._pace.cancel()
        if self.is_running and self.screen_stack:
            self.panel_layout.show(self.seen, arriving=self.hub.arriving)
            if self.hub.arriving:
                self.call_after_refresh(self.hub.shown)
            self.script_state_store.save_if_changed()

    def _tick(self) -> None:
        """Paint what changes with no message: the seconds of a start, and whether a silent rank waits for input."""
        if (looked := self._asking.looked(self.snapshot)) is not self.snapshot:
            self.snapshot = looked
            self.paint()
        if self.snapshot.state == "starting" and not self.snapshot.lost:
            self.paint()

    # keys

    async def on_event(self, event: events.Event) -> None:
        """What the terminal sends; keys one at a time."""
        if isinstance(event, events.Key | events.Paste) and not event.is_forwarded:
            await self.key_queue.receive(event)
        else:
            await super().on_event(event)

    def action_context(self) -> ActionContext:
        """What the applicability of actions is judged by."""
        panel, name = self.panel_layout.in_focus(), self.panel_layout.focused_name()
        return ActionContext(
            self.snapshot,
            name,
            editable=panel is not None and panel.may_edit(),
            selected=panel is not None and panel.has_selection(),
            offers=panel.offers() if panel is not None else frozenset({"copy"}),
            columns=self.panel_layout.has_columns,
            hinted=self.hinted,
            actions=self.config.actions,
            view=panel.showing() if panel is not None else "",
            ownable=panel is not None and self._knows_owners_of(panel.tensor_at_hand()),
            came_from=panel.came_from if panel is not None else "",
            typing=panel is not None and panel.typing,
            opened_from=self.panel_layout.trail.opened_from(name, in_past=self.snapshot.past_at is not None),
            left=name == "rail" or self.panel_layout.trail.last(name) is not None,
        )

    def _knows_owners_of(self, name: str) -> bool:
        """Whether a tensor's owners can be shown: now they can be asked for, in the past they were recorded or not."""
        if not name or self.snapshot.past_at is None:
            return bool(name)
        from stepdbg.tui.panels.effects.owners import belongs

        known = self.seen.answer(IDENTITY) if self.seen.looking_back else None
        return known is not None and belongs(known, name)

    async def action_press(self, key: str) -> None:
        """A key of the registry: do what it does here, if anything."""
        if not await self.typed_ahead.of_a_stop(key, self.action_context()):
            return
        if await self.typed_ahead.of_answers(key, self.action_context(), self.panel_layout.in_focus()):
            self.paint()
        here = self.action_context()
        action = applicable(key, here)
        self.show_status("" if action is not None else why_nothing(key, here))
        if action is not None:
            await self.do(action)

    def on_key(self, event: events.Key) -> None:
        """A key that nothing is bound to, and that no input has taken."""
        bound = any(event.key in action.keys for action in self.config.actions)
        if len(self.screen_stack) == 1 and not bound:
            self.show_status(why_nothing(event.key, self.action_context()))

    def show_status(self, words: str) -> None:
        """Say something quietly, in the last line, until another key is pressed or training has moved."""
        self.status = (words, self.snapshot.boundary)
        if self.is_running and self.screen_stack:
            self.panel_layout.paint_status()

    async def on_sheet_target_clicked(self, event: Sheet.TargetClicked) -> None:
        """Something was clicked that stands for something."""
        if not isinstance(event.target, ActionTarget):
            self.handlers.clicked(event.target)
        elif (action := BY_ID[event.target.action]).applies(self.action_context()):  # its keys do not matter
            await self.do(action)

    def on_panel_cursor_moved(self, event: Panel.CursorMoved) -> None:
        """A cursor or a window has moved."""
        self.hub.ask()
        self.paint_within(TOGETHER)

    def on_panel_opened(self, event: Panel.Opened) -> None:
        """A double click on an object."""
        self.handlers.opening.open(event.name)

    async def on_console_panel_begun(self) -> None:
        """The console has come into focus: what is typed goes to its prompt."""
        await self.handlers.console.begin()

    def on_console_input_submitted(self, event: ConsoleInput.Submitted) -> None:
        """Something is to be run: not here, since it may take for ever."""
        self.run_worker(self.handlers.console.evaluate(event.source))

    def on_console_input_asked(self, event: ConsoleInput.Asked) -> None:
        """A name is to be completed."""
        self.run_worker(self.handlers.console.complete(event.text))

    def on_descendant_focus(self) -> None:
        """The focus has arrived in another panel, which has other keys."""
        self.paint()

    def action_focus_next(self) -> None:
        """Tab, which the screen binds before the app does; a dialog goes through its fields."""
        if len(self.screen_stack) > 1:
            self.screen.focus_next()
        else:
            self.call_later(self.action_press, "tab")

    def action_focus_previous(self) -> None:
        """Shift+tab."""
        if len(self.screen_stack) > 1:
            self.screen.focus_previous()
        else:
            self.call_later(self.action_press, "shift+tab")

    def show_help(self) -> None:
        """Open the help: the keys and the signs."""
        from stepdbg.tui.actions.help_dialog import HelpDialog

        self.push_screen(HelpDialog(self.action_context(), self.glyphs))

    def show_commands(self) -> None:
        """The palette, without the ellipsis that Textual ends its invitation with."""
        if not CommandPalette.is_open(self):  # type: ignore[arg-type]  # any app has one
            self.push_screen(CommandPalette(placeholder="Search for a command by its name", id="--command-palette"))

    def get_system_commands(self, screen: Screen[object]) -> Iterable[SystemCommand]:
        """The palette: the actions that apply, and the themes."""
        here = self.action_context()
        left = replace(here, typing=False)  # what applies as soon as the input of the console is left
        for action in here.actions:
            if action.palette and (action.applies(here) or action.applies(left)):
                yield SystemCommand(
                    f"{action.label} ({shown_keys(action)})", action.help, lambda action=action: self._command(action)
                )
        for name, theme in THEMES.items():
            if theme != self.theme:
                yield SystemCommand(f"theme {name}", f"draw in {theme}", lambda theme=theme: self._draw(theme))
        yield SystemCommand("theme", "choose among all themes", self.action_change_theme)

    def _draw(self, theme: str) -> None:
        self.theme = theme

    def _command(self, action: Action) -> None:
        self.call_later(self.do, action)
