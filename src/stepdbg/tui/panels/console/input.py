"""The input of the console: a text area in which enter runs what is complete, and up and down go through the past."""

from __future__ import annotations

import codeop
import warnings

from textual import events
from textual.message import Message
from textual.widgets import TextArea

from stepdbg.tui.drawing.numbers import size
from stepdbg.tui.panels.console.view import GOES_ON

MOST = 64 * 1024
"""Characters of a command; a longer one belongs into a file."""
_INDENT = "    "


class ConsoleInput(TextArea):
    """Keys come here from `!` until escape."""

    DEFAULT_CSS = f"""
    ConsoleInput, ConsoleInput:focus {{
        dock: bottom; margin-left: {len(GOES_ON) + 1}; height: 1; border: none; padding: 0;
        background: $background; scrollbar-size: 0 0;
    }}
    ConsoleInput .text-area--cursor-line {{ background: $background; }}
    """

    class Submitted(Message):
        """A complete command."""

        def __init__(self, source: str) -> None:
            super().__init__()
            self.source = source

    class Asked(Message):
        """What the line up to the cursor could go on as is to be told."""

        def __init__(self, text: str) -> None:
            super().__init__()
            self.text = text

    class Refused(Message):
        """What was pasted is not taken; in words."""

        def __init__(self, problem: str) -> None:
            super().__init__()
            self.problem = problem

    def __init__(self) -> None:
        super().__init__(id="console-input", compact=True, show_line_numbers=False, soft_wrap=False)
        self.cursor_blink = False  # a blinking cursor is bytes to the terminal twice a second
        self.past: list[str] = []
        """What was run, oldest first."""
        self._back = 0
        """How far back in it; 0 is what is being typed."""
        self._draft = ""

    async def _on_key(self, event: events.Key) -> None:
        own = {"enter": self.enter, "tab": self.tab, "up": self._up, "down": self._down, "ctrl+c": self._clear}
        done = own.get(event.key)
        if done is not None and done():
            event.stop()
            event.prevent_default()
        elif event.key not in own:
            await super()._on_key(event)

    async def _on_paste(self, event: events.Paste) -> None:
        event.stop()
        event.prevent_default()
        if len(event.text) > MOST:
            self.post_message(
                self.Refused(
                    f"{size(len(event.text))} are too much for the console ({size(MOST)}): import them from a file"
                )
            )
            return
        self.insert(event.text.replace("\r\n", "\n").replace("\r", "\n"))

    def done(self) -> None:
        """The command was taken: empty, and remember it."""
        source = self.text.rstrip()
        if source and source not in self.past[-1:]:
            self.past.append(source)
        self._put("")
        self._back = 0

    def complete_with(self, text: str, start: int, names: tuple[str, ...]) -> None:
        """Go on with what all these names begin with, if the line still ends so."""
        row, column = self.cursor_location
        if not names or self.document.get_line(row)[:column] != text:
            return
        common = names[0]
        while not all(name.startswith(common) for name in names):
            common = common[:-1]
        if more := common[len(text) - start :]:
            self.insert(more)

    def enter(self) -> bool:
        """Run what is complete; else go on with another line."""
        row, column = self.cursor_location
        line = self.document.get_line(row)
        at_end = row == self.document.line_count - 1 and column == len(line)
        if self.text.strip() and (complete(self.text) or (at_end and not line.strip() and row > 0)):
            self.post_message(self.Submitted(self.text.rstrip()))
        elif self.text.strip():
            indent = line[: len(line) - len(line.lstrip())]
            self.insert("\n" + indent + (_INDENT if line.rstrip().endswith(":") else ""))
        return True

    def tab(self) -> bool:
        """Complete a name; at the start of a line, indent it. With nothing typed the key is for the panels."""
        if not self.text:
            return False
        row, column = self.cursor_location
        text = self.document.get_line(row)[:column]
        if text.strip():
            self.post_message(self.Asked(text))
        else:
            self.insert(_INDENT)
        return True

    def _up(self) -> bool:
        return self.cursor_location[0] == 0 and self.recall(1)

    def _down(self) -> bool:
        return self.cursor_location[0] == self.document.line_count - 1 and self.recall(-1)

    def recall(self, step: int) -> bool:
        """Show the command that stands so many further back."""
        back = self._back + step
        if not 0 <= back <= len(self.past):
            return True
        if self._back == 0:
            self._draft = self.text
        self._back = back
        self._put(self.past[-back] if back else self._draft)
        return True

    def _clear(self) -> bool:
        """As a shell does; with nothing typed the key is for what runs."""
        had = bool(self.text)
        self._put("")
        self._back = 0
        return had

    def _put(self, text: str) -> None:
        self.load_text(text)
        self.move_cursor(self.document.end)


def complete(source: str) -> bool:
    """Whether Python would run it now: a block is over with an empty line."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return codeop.compile_command(source, "<console>", "single") is not None
        except (SyntaxError, ValueError, OverflowError, MemoryError, RecursionError):
            return True  # several statements, or something to be told about
