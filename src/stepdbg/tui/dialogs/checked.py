"""A dialog with a field that is looked at while it is written."""

from __future__ import annotations

from typing import TypeVar

from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import plain

Answer = TypeVar("Answer")


class CheckedDialog(Dialog[Answer]):
    """Says below its field what that would mean here, and what is wrong with it."""

    def said(self) -> list[Widget]:
        """The two lines in which it is said."""
        return [Static("", id="check", markup=False), Static("", id="problem", classes="problem", markup=False)]

    def on_input_changed(self, event: Input.Changed) -> None:
        """Something else is written."""
        if self.is_open:
            self.look()

    def look(self) -> None:
        """Look at what is written, and say what it means."""
        raise NotImplementedError

    def say(self, check: str, problem: str) -> None:
        """Say what the field means, and what is wrong with it; empty for nothing."""
        self.query_one("#check", Static).update(plain(check))
        self.query_one("#problem", Static).update(plain(problem))
