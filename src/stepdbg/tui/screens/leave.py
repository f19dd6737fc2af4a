"""How to leave: training goes on, stays stopped, or is ended."""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.tui.screens.dialog import Dialog
from stepdbg.tui.views.lines import Glyphs

How = Literal["go on", "stay", "stop"]
_KEYS: dict[str, How] = {"g": "go on", "s": "stay", "t": "stop"}


class LeaveDialog(Dialog[How]):
    """Asks how to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"leave('{how}')", how, show=False) for key, how in _KEYS.items()),
        Binding("c,q,ctrl+q", "dismiss_dialog", "cancel", show=False),
    ]

    def __init__(self, name: str, running: bool, glyphs: Glyphs) -> None:
        super().__init__("Leave the session", glyphs)
        self._session = name
        self._trains = running

    def fill(self) -> list[Widget]:
        """The four ways."""
        stays = "stays as it is: training goes on until a breakpoint" if self._trains else "training stays stopped"
        return [
            OptionList(
                Option("g  detach, training goes on (breakpoints do not hold it)", id="go on"),
                Option(f"s  detach, {stays}", id="stay"),
                Option("t  stop training, and end the session", id="stop"),
                Option("c  cancel", id="cancel"),
                markup=False,
            ),
            Static(f"stepdbg attach {self._session} comes back to a detached session", classes="hint", markup=False),
        ]

    def action_leave(self, how: How) -> None:
        """One of the keys."""
        self.dismiss(how)

    def on_mount(self) -> None:
        """The first line is chosen until another one is."""
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a line."""
        how = event.option_id
        self.dismiss(how if how in _KEYS.values() else None)  # type: ignore[arg-type]
