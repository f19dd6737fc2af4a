"""Whether to run the script again while it is alive."""

from __future__ import annotations

from typing import ClassVar

from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.drawing.numbers import count
from stepdbg.tui.state.snapshot import Snapshot


class RestartDialog(Dialog[bool]):
    """Says what is lost and what is kept."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("r,R,y", "answer(True)", "run again", show=False),
        Binding("c,n,q", "dismiss_dialog", "cancel", show=False),
    ]

    def __init__(self, snapshot: Snapshot, glyphs: Glyphs) -> None:
        super().__init__(f"Run {snapshot.session.script} again", glyphs)
        stop = snapshot.stop
        update = stop.boundary.update if stop is not None else 0
        if snapshot.progress is not None:
            update = max(update, snapshot.progress.update)
        self._lost = f"training ends at update {count(update)}" if update else "the script ends"

    def fill(self) -> list[Widget]:
        """The two ways."""
        return [
            OptionList(
                Option(f"r  run it again: {self._lost}", id="again"),
                Option("c  cancel", id="cancel"),
                markup=False,
            ),
            Static("breakpoints are kept, edits are not", classes="hint", markup=False),
        ]

    def action_answer(self, again: bool) -> None:
        """Give the answer that the pressed key stands for."""
        self.dismiss(again)

    def on_mount(self) -> None:
        """The first line is chosen until another one is."""
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a line."""
        self.dismiss(event.option_id == "again")
