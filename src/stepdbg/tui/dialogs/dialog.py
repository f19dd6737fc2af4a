"""The base of all dialogs: a box in the middle with a title, and escape to leave it."""

from __future__ import annotations

from typing import ClassVar, TypeVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widget import Widget
from textual.widgets import OptionList, Static

from stepdbg.tui.drawing.lines import Glyphs, plain

T = TypeVar("T")


class Dialog(ModalScreen[T | None]):
    """A question in a box; None is the answer when it is left with escape."""

    DEFAULT_CSS = """
    Dialog { align: center middle; background: $background 60%; }
    Dialog > #box {
        width: 68; max-width: 100%; height: auto; max-height: 100%;
        background: $surface; border: round $accent 60%; padding: 0 2; scrollbar-size-vertical: 1;
    }
    Dialog > #box.ascii { border: ascii $accent 60%; scrollbar-size: 0 0; }
    Dialog #title { text-style: bold; margin-bottom: 1; }
    Dialog Static { height: auto; }
    Dialog .quiet { color: $text-muted; }
    Dialog .warning { color: $text-warning; }
    Dialog .problem { color: $text-error; text-style: bold; }
    Dialog .hint { color: $text-muted; margin-top: 1; }
    Dialog Input, Dialog Input:focus { border: none; height: 1; padding: 0 1; background: $boost; }
    Dialog OptionList, Dialog OptionList:focus { border: none; height: auto; padding: 0; background: transparent; }
    Dialog OptionList:nocolor > .option-list--option-highlighted { text-style: bold reverse; }
    """
    AUTO_FOCUS = "OptionList, Input"
    BINDINGS: ClassVar[list[BindingType]] = [Binding("escape", "dismiss_dialog", "cancel", show=False)]

    def __init__(self, title: str, glyphs: Glyphs) -> None:
        super().__init__()
        self.heading = plain(title)
        self.glyphs = glyphs

    def compose(self) -> ComposeResult:
        """The box with the title and what the dialog fills it with."""
        with VerticalScroll(id="box", classes="" if self.glyphs.braille else "ascii", can_focus=False):
            yield Static(self.heading, id="title", markup=False)
            yield from self.fill()

    def fill(self) -> list[Widget]:
        """What stands below the title."""
        raise NotImplementedError

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """A sign before the line that enter takes: its colour alone would not do."""
        options = event.option_list
        for index, option in enumerate(options.options):
            words = str(option.prompt).removeprefix(f"{self.glyphs.cursor} ").removeprefix("  ")
            sign = self.glyphs.cursor if index == options.highlighted else " "
            options.replace_option_prompt_at_index(index, f"{sign} {words}")

    @property
    def is_open(self) -> bool:
        """Whether the parts of the dialog are there to be read and written.

        They are not before it is mounted, nor from the moment when it is left: its parts are taken away before it is,
        and an answer or a message may still come in between.
        """
        return self.is_mounted and self.display

    def action_dismiss_dialog(self) -> None:
        """Leave without an answer."""
        self.dismiss(None)
