"""A line for the script's standard input."""

from __future__ import annotations

from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs


class InputDialog(Dialog[str]):
    """Asks for the line."""

    def __init__(self, script: str, glyphs: Glyphs) -> None:
        super().__init__(f"Type to {script}", glyphs)

    def fill(self) -> list[Widget]:
        """The field."""
        return [
            Input(id="line"),
            Static("enter sends the line to its standard input, escape cancels", classes="hint", markup=False),
        ]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Send it."""
        self.dismiss(event.value + "\n")
