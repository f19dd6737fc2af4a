"""What those who hold the app may do with it: with the screen, with the panels on it, and with the hub behind it.

They are typed against these protocols, since the app itself lies above all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from textual.geometry import Size
from textual.notifications import SeverityLevel
from textual.screen import Screen
from textual.theme import Theme

from stepdbg.protocol.messages import FromClient, Query, Result
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.panel_base.panel import Panel
from stepdbg.tui.panel_base.trail import Trail
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top.top import Top

P = TypeVar("P", bound=Panel)
R = TypeVar("R")


class Hub(Protocol):
    """The hub, as the screen talks with it."""

    @property
    def connected(self) -> bool:
        """Whether there is, or was, a connection."""
        ...

    def send(self, message: FromClient) -> None:
        """Say something to the hub."""
        ...

    async def answer(self, query: Query, rank: int | None = None) -> Result:
        """The answer of a rank to a question, a `Refusal` among them; of the rank that is looked at if none is named.

        Raises:
            StepdbgError: there is no connection, or it has ended.
        """
        ...

    def ask(self) -> None:
        """Ask what the visible panels need now."""
        ...

    def forget(self) -> None:
        """Ask everything again at the next `ask`."""
        ...

    def forget_stale(self) -> None:
        """Ask again at the next `ask` what an edit has changed."""
        ...

    async def idle(self, seconds: float) -> None:
        """Wait until the visible panels have all their answers, but no longer than so many seconds."""
        ...

    def look_at_rank(self, rank: int) -> None:
        """Show that rank from now on."""
        ...

    def look_at_stop(self, boundary: int | None) -> None:
        """Show the stop at that boundary as it was; None shows the present."""
        ...

    def tell_terminal_size(self) -> None:
        """Have the script print for the width that its output is shown at."""
        ...

    async def close(self) -> None:
        """Give up on all questions and close the connection."""
        ...


class Layout(Protocol):
    """The panels, where they stand, and which of them keys go to."""

    trail: Trail

    @property
    def panels(self) -> Mapping[str, Panel]:
        """By place the panel that stands there; places that nobody has looked at yet are left out."""
        ...

    def at(self, place: str) -> Panel:
        """The panel that stands in a place, mounted if it has not been yet."""
        ...

    def panel(self, kind: type[P]) -> P:
        """The panel of that class, mounted if it has not been yet."""
        ...

    def put(self, panel: Panel) -> None:
        """Have a panel stand in its place, instead of the other that belongs there."""
        ...

    @property
    def top(self) -> Top:
        """Header, rail and sentence."""
        ...

    @property
    def recent(self) -> Sequence[str]:
        """The panels as they were gone to, the newest first."""
        ...

    @property
    def chosen(self) -> Sequence[str]:
        """The panels as the user went to them, newest first, without one that came to the front by itself."""
        ...

    @property
    def zoomed(self) -> bool:
        """Whether one panel is shown alone though there is room for several."""
        ...

    @property
    def has_columns(self) -> bool:
        """Whether there is room for several panels at once."""
        ...

    def visible(self) -> list[Panel]:
        """The panels on the screen."""
        ...

    def informed(self) -> list[Panel]:
        """The panels on the screen, and those whose place one of them has taken."""
        ...

    def is_shown(self, name: str) -> bool:
        """Whether a panel is on the screen."""
        ...

    def in_focus(self) -> Panel | None:
        """The panel that keys go to; None while the rail has them."""
        ...

    def focused_name(self) -> str:
        """The name of what has the focus: a panel's, or `rail`."""
        ...

    def go_to(self, name: str, view: str | None = None, *, noted: bool = True) -> None:
        """Bring a panel to the front and put the focus on it.

        Args:
            name: The panel.
            view: What is opened there, for the way back.
            noted: Whether this is a step that `esc` takes back.
        """
        ...

    def go_back(self, origin: str = "") -> None:
        """Go to where the panel in focus was come to from; to `origin`, where that is known better."""
        ...

    def go_to_rail(self) -> None:
        """Put the focus on the rail."""
        ...

    def cycle(self, step: int) -> None:
        """Go to the next panel by number (or, for -1, the one before), then the rail, and round again."""
        ...

    def zoom(self) -> None:
        """Show one panel alone, or all again."""
        ...

    def bring_to_front(self, name: str) -> None:
        """Have a panel seen, where it is not; what the user had in front is not forgotten."""
        ...

    def restore_front(self) -> None:
        """What came to the front by itself has had its time."""
        ...

    def restore(self, recent: Sequence[str], *, zoomed: bool) -> None:
        """Have the panels in front that were in front before, newest first."""
        ...

    def arrange_anew(self) -> None:
        """Something else than the size has changed what there is room for."""
        ...

    def selected_object(self) -> str:
        """The object that the Tensor panel shows; empty where there is none."""
        ...

    def owners_asked_for(self) -> bool:
        """Whether somebody has asked who owns a tensor, and has not gone back."""
        ...

    def panel_text(self, name: str) -> str:
        """What a panel shows, or the top for any other name."""
        ...

    def output_size(self, size: Size) -> tuple[int, int]:
        """Columns and rows for the script's terminal, on a screen of that size."""
        ...


class Host(Protocol):
    """The app."""

    snapshot: Snapshot
    """What is known; whoever changes it calls `paint`."""
    farewell: str
    """What to say on the terminal when the screen is gone."""
    left: bool
    """Whether the user has left a session that is over, or ended it."""
    chosen_theme: str
    """The theme that the user has chosen on this screen; empty while it is the one of the settings."""

    @property
    def hub(self) -> Hub:
        """What is said to the hub."""
        ...

    @property
    def panel_layout(self) -> Layout:
        """The panels on the screen."""
        ...

    @property
    def seen(self) -> Snapshot:
        """What is to be drawn: the present, or the past that is looked at."""
        ...

    @property
    def glyphs(self) -> Glyphs:
        """What the terminal can draw."""
        ...

    @property
    def size(self) -> Size:
        """The size of the screen, in cells."""
        ...

    @property
    def screen_stack(self) -> list[Screen[Any]]:
        """The screen with the panels, and the dialogs over it."""
        ...

    @property
    def current_theme(self) -> Theme:
        """The theme in force."""
        ...

    @property
    def notices(self) -> Sequence[str]:
        """What was told when the screen opened."""
        ...

    @property
    def history(self) -> list[str]:
        """Lines that were typed into the console, oldest first; what is appended is kept with the script."""
        ...

    @property
    def hinted(self) -> bool:
        """Whether hints for newcomers are shown."""
        ...

    def dismiss_hints(self) -> None:
        """No more hints, now or later."""
        ...

    def show_commands(self) -> None:
        """Open the palette: all that can be done here, by its name."""
        ...

    def show_help(self) -> None:
        """Open the help: the keys and the signs."""
        ...

    def welcomed(self) -> None:
        """The hub has said which session this is."""
        ...

    def paint(self) -> None:
        """Have every visible sheet draw the snapshot."""
        ...

    def paint_within(self, seconds: float) -> None:
        """Paint no later than that."""
        ...

    def notify(
        self,
        message: str,
        *,
        severity: SeverityLevel = "information",
        timeout: float | None = None,
        markup: bool = False,
    ) -> None:
        """A notice in the corner."""
        ...

    def show_status(self, words: str) -> None:
        """Say something quietly, in the last line, until another key is pressed or training has moved."""
        ...

    def clear_notifications(self) -> None:
        """Take all notices away."""
        ...

    def push_screen(self, screen: Screen[R], callback: Callable[[R | None], None] | None = None) -> object:
        """Open a dialog.

        Args:
            screen: The dialog.
            callback: Is called with what it is left with.
        """
        ...

    def call_later(self, callback: Callable[..., Any], *args: Any) -> bool:
        """Call that when the messages that are waiting have been dealt with."""
        ...

    def run_worker(self, work: Coroutine[Any, Any, None]) -> object:
        """Have something done that may take long, while keys go on."""
        ...

    def write_to_terminal(self, sequence: str) -> None:
        """Send an escape sequence of our own that draws nothing."""
        ...

    def exit(self, result: int | None = None) -> None:
        """Close the screen."""
        ...
