"""How to leave: training goes on, stays stopped, or is ended.

Chosen at first is what neither loses anything nor lets anything run on that nobody looks at: all stays as it is.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.drawing.numbers import plural

How = Literal["go on", "stay", "stop"]
_KEYS: dict[str, How] = {"g": "go on", "s": "stay", "t": "stop"}


class LeaveDialog(Dialog[How]):
    """Asks how to leave."""

    BINDINGS: ClassVar[list[BindingType]] = [
        *(Binding(key, f"leave('{how}')", how, show=False) for key, how in _KEYS.items()),
        Binding("c,q,ctrl+q", "dismiss_dialog", "cancel", show=False),
    ]

    def __init__(self, name: str, running: bool, processes: int, glyphs: Glyphs) -> None:
        super().__init__("Leave the session", glyphs)
        self._session = name
        self._trains = running
        self._processes = processes

    def fill(self) -> list[Widget]:
        """The four ways."""
        stays = "stays as it is: training goes on until a breakpoint" if self._trains else "training stays stopped"
        left = plural(self._processes, "training process", "training processes") if self._processes else "the script"
        verb = "stay" if self._processes > 1 else "stays"
        return [
            OptionList(
                Option("g  detach, training goes on (breakpoints do not hold it)", id="go on"),
                Option(f"s  detach, {stays}", id="stay"),
                Option("t  stop training, and end the session", id="stop"),
                Option("c  cancel", id="cancel"),
                markup=False,
            ),
            Static(
                f"Detached, {left} {verb} in the background; stepdbg ls lists what is left.\n"
                f"stepdbg attach {self._session} comes back\nstepdbg stop {self._session} ends it",
                classes="hint",
                markup=False,
            ),
        ]

    def action_leave(self, how: How) -> None:
        """Leave in the way that the pressed key stands for."""
        self.dismiss(how)

    def on_mount(self) -> None:
        """To leave all as it is is chosen until another line is."""
        self.query_one(OptionList).highlighted = 1

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a line."""
        how = event.option_id
        self.dismiss(how if how in _KEYS.values() else None)  # type: ignore[arg-type]
