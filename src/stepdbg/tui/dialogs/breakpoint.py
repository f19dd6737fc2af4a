"""A breakpoint on a phase: before it or after it, every time or at one update."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.hub.breakpoints.text import describe
from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, RemoveBreakpoint
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs, plain


class BreakpointDialog(Dialog[AddBreakpoint | RemoveBreakpoint]):
    """Asks where exactly to stop."""

    def __init__(self, phase: str, there: tuple[Breakpoint, ...], update: int, glyphs: Glyphs) -> None:
        super().__init__(f"Breakpoint on {phase}", glyphs)
        self._phase = phase
        self._there = [one for one in there if one.phase == phase]
        self._update = update

    def fill(self) -> list[Widget]:
        """The ways to stop there, and those that are set already, to be removed."""
        options = [
            Option(f"stop before {plain(self._phase)}", id="before"),
            Option(f"stop after {plain(self._phase)}", id="after"),
            *(Option(f"remove: {plain(describe(one))}", id=f"remove {one.number}") for one in self._there),
        ]
        return [
            OptionList(*options, markup=False),
            Static("only at update (empty: at every one)", classes="hint", markup=False),
            Input(placeholder=f"for example {self._update + 1}", type="integer", id="update"),
            Static("", id="problem", classes="problem", markup=False),
            Static("enter sets it, tab goes to the update, escape cancels", classes="hint", markup=False),
        ]

    def on_mount(self) -> None:
        """The first line is chosen until another one is."""
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a line."""
        self._choose(event.option_id or "")

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field of the update: as the highlighted line says."""
        options = self.query_one(OptionList)
        index = options.highlighted
        self._choose(options.get_option_at_index(index).id or "" if index is not None else "before")

    def _choose(self, choice: str) -> None:
        if choice.startswith("remove "):
            self.dismiss(RemoveBreakpoint(int(choice.removeprefix("remove "))))
            return
        words = self.query_one(Input).value.strip()
        update = int(words) if words.isdigit() else None
        if words and not update:
            self.query_one("#problem", Static).update("updates count from 1")
            return
        self.dismiss(AddBreakpoint(Breakpoint(0, self._phase, "after" if choice == "after" else "before", update)))
