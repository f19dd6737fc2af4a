"""One line from the user, refused with the reason until it can be read."""

from __future__ import annotations

from collections.abc import Callable

from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.errors import StepdbgError
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs


class LineDialog(Dialog[str]):
    """Asks for the line."""

    def __init__(
        self, title: str, example: str, hint: str, check: Callable[[str], object], glyphs: Glyphs, value: str = ""
    ) -> None:
        """Ask.

        Args:
            title: For what.
            example: What the empty field shows.
            hint: What the keys do.
            check: Raises a `ValueError` or a `StepdbgError` that says what is wrong with the line.
            glyphs: The characters there are.
            value: What the field begins with.
        """
        super().__init__(title, glyphs)
        self._example, self._hint, self._check, self._value = example, hint, check, value

    def fill(self) -> list[Widget]:
        """The field, and what is wrong with what is in it."""
        return [
            Input(self._value, placeholder=self._example, id="line"),
            Static("", id="problem", classes="problem", markup=False),
            Static(self._hint, classes="hint", markup=False),
        ]

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, if it can be read."""
        try:
            self._check(event.value)
        except (ValueError, StepdbgError) as error:
            self.query_one("#problem", Static).update(str(error))
            return
        self.dismiss(event.value.strip())
