"""Saving: what, in which format, under which name. A file that is there is never overwritten."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import NamedTuple

from textual import work
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.errors import StepdbgError
from stepdbg.new_file import free_name
from stepdbg.printable import printable_lines
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs, plain
from stepdbg.tui.files.formats import Choice


class Wish(NamedTuple):
    """What to save, and where."""

    choice: Choice
    path: Path


class SaveDialog(Dialog[str]):
    """Asks what and where, saves, and gives back what to say about it."""

    def __init__(
        self,
        choices: list[Choice],
        directory: Path,
        name: Callable[[Choice], str],
        save: Callable[[Wish], Awaitable[str]],
        glyphs: Glyphs,
    ) -> None:
        """Take what there is to choose from.

        Args:
            choices: In the order of the list.
            directory: What a relative path is relative to.
            name: The file name that is proposed for a choice.
            save: Saves, and says what it did; raises a `StepdbgError` that says why not.
            glyphs: What the terminal can draw.
        """
        super().__init__("Save", glyphs)
        self._choices = {choice.id: choice for choice in choices}
        self._directory = directory
        self._named = name
        self._save = save
        self._proposed = ""

    def fill(self) -> list[Widget]:
        """What can be saved, and the path."""
        options = [Option(plain(choice.words), id=choice.id) for choice in self._choices.values()]
        return [
            OptionList(*options, markup=False),
            Static(plain(f"to (relative to {self._directory})"), classes="hint", markup=False),
            Input(id="path"),
            Static("", id="problem", classes="problem", markup=False),
            Static("enter saves, tab goes to the path, escape cancels", classes="hint", markup=False),
        ]

    def on_mount(self) -> None:
        """The first line is chosen until another one is."""
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another choice has another name; a path that the user has typed stays, but for its suffix."""
        if not self.is_open:
            return
        choice = self._choices[event.option_id or ""]
        field = self.query_one(Input)
        if field.value in ("", self._proposed):
            self._propose(free_name(self._directory / self._named(choice)))
        elif field.value:
            field.value = str(Path(field.value).with_suffix(f".{choice.suffix}"))

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a line."""
        self._go(self._choices[event.option_id or ""])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field of the path: as the highlighted line says."""
        options = self.query_one(OptionList)
        chosen = options.get_option_at_index(options.highlighted or 0)
        self._go(self._choices[chosen.id or ""])

    def _go(self, choice: Choice) -> None:
        words = self.query_one(Input).value.strip()
        if not words:
            self._say("a path is needed")
            return
        path = self._directory / Path(words).expanduser()
        if path.is_dir():
            path = path / self._named(choice)
        if (free := free_name(path)) != path:
            self._propose(free)
            self._say(f"{path.name} exists already and is not overwritten; {free.name} is free")
            return
        self._say("saving" + self.glyphs.ellipsis)
        self._try(Wish(choice, path))

    @work(exclusive=True)
    async def _try(self, wish: Wish) -> None:
        try:
            words, problem = await self._save(wish), ""
        except StepdbgError as error:
            words, problem = "", str(error)
        if not self.is_open:
            return
        if problem:
            self._say(problem)
        else:
            self.dismiss(words)

    def _propose(self, path: Path) -> None:
        inside = path.parent == self._directory
        self._proposed = path.name if inside else str(path)
        self.query_one(Input).value = self._proposed

    def _say(self, words: str) -> None:
        self.query_one("#problem", Static).update(printable_lines(words))
