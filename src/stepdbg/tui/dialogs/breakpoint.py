"""A breakpoint: before or after a phase, on what is under the cursor, or written out; with all that has to hold, and
what it would match here.
"""

from __future__ import annotations

from textual import events
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.errors import UsageError
from stepdbg.protocol.breakpoint_text import CLAUSES, describe, parse
from stepdbg.protocol.messages import AddBreakpoint, Breakpoint, RemoveBreakpoint
from stepdbg.tui.dialogs.place import PlaceDialog, Surroundings
from stepdbg.tui.drawing.lines import Glyphs, plain

WRITTEN = "as written below: any phase, update, epoch, line or value"
"""The choice that takes the field for the whole breakpoint."""
_WITH_FIRST_BAD = ("on", "once")
"""What the clauses begin with that go with the first NaN."""
_FIRST_BAD_ALONE = "only `on rank R` and `once` go with the first NaN; up and down choose another line"
_BEFORE, _AFTER, _LINE, _FIRST_BAD = "before", "after", "line", "first nan"


class BreakpointDialog(PlaceDialog[AddBreakpoint | RemoveBreakpoint]):
    """Asks where exactly to stop."""

    def __init__(
        self,
        phase: str | None,
        there: tuple[Breakpoint, ...],
        update: int,
        glyphs: Glyphs,
        around: Surroundings,
        line: str = "",
        here: tuple[str, ...] = (),
        *,
        here_first: bool = False,
    ) -> None:
        """Ask.

        Args:
            phase: The phase that is selected; None where there is none yet.
            there: The breakpoints of the session.
            update: The update that training is in.
            glyphs: The characters there are.
            around: What a breakpoint is held against.
            line: The line under the cursor, `train.py:48`; empty for none.
            here: Breakpoints on what is under the cursor, as they are written: `when model.fc1.weight changes`.
            here_first: Whether these come before those of the phase.
        """
        place = f" on {phase}" if phase else f" at {line}" if line else ""
        super().__init__(f"Breakpoint{place}", glyphs, around)
        self._phase, self._line = phase, line
        self._here, self._here_first = here, here_first
        known = (*here, *([line] if line else ()))
        self._there = [one for one in there if (phase and one.phase == phase) or describe(one).startswith(known)]
        self._update = update

    def fill(self) -> list[Widget]:
        """The ways to stop there, those that are set already, to be removed, and the field."""
        phase = plain(self._phase or "")
        ways = [Option(f"stop before {phase}", id=_BEFORE), Option(f"stop after {phase}", id=_AFTER)] if phase else []
        here = [Option(_way(one), id=f"here {place}") for place, one in enumerate(self._here)]
        return [
            OptionList(
                *((*here, *ways) if self._here_first else (*ways, *here)),
                *([Option(f"stop before {plain(self._line)}", id=_LINE)] if self._line else []),
                Option("stop at the first NaN, and say what has made it", id=_FIRST_BAD),
                Option(WRITTEN, id="written"),
                *(Option(f"remove: {plain(describe(one))}", id=f"remove {one.number}") for one in self._there),
                markup=False,
            ),
            Static('only: at update 41, every 10, of opt, once, ignore 3, log "{loss}", if loss > 2', classes="hint",
                   markup=False),
            Input(placeholder=f"if loss > 2, or {self._update + 1} for that update; empty: every time", id="field",
                  select_on_focus=False),
            *self.said(),
            Static("enter sets it, what is typed goes to the field, escape cancels", classes="hint", markup=False),
        ]  # fmt: skip

    def on_mount(self) -> None:
        """The first line is chosen until another one is."""
        self.query_one(OptionList).highlighted = 0

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on a line."""
        self._choose(event.option_id or "")

    def on_option_list_option_highlighted(self, event: OptionList.OptionHighlighted) -> None:
        """Another line means another breakpoint."""
        if self.is_open:
            self.look()

    def on_key(self, event: events.Key) -> None:
        """What is typed goes to the field, and up and down to the lines above it, whatever has the focus."""
        field = self.query_one("#field", Input)
        if event.key in ("up", "down") and field.has_focus:
            event.stop()
            options = self.query_one(OptionList)
            options.action_cursor_up() if event.key == "up" else options.action_cursor_down()
        if event.is_printable and event.character not in (None, " ") and not field.has_focus:
            event.stop()
            field.focus()
            field.insert_text_at_cursor(event.character or "")

    def on_paste(self, event: events.Paste) -> None:
        """So does what is pasted: its first line, as into any field."""
        field = self.query_one("#field", Input)
        if event.text and not field.has_focus:
            event.stop()
            field.focus()
            field.insert_text_at_cursor(event.text.splitlines()[0])

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Enter in the field: as the highlighted line says."""
        self._choose(self._choice)

    @property
    def _choice(self) -> str:
        """The highlighted line."""
        options = self.query_one(OptionList)
        index = options.highlighted
        return options.get_option_at_index(index).id or "" if index is not None else "written"

    def _text(self, choice: str) -> str:
        """The breakpoint as it is written out; a number by itself is an update, and a whole breakpoint in the field is
        one by itself, whatever was chosen above.
        """
        text = self._chosen_text(choice)
        words = self._words
        begins = words.partition(" ")[0]
        whole = words and not any(clause.startswith(begins) for clause in CLAUSES) and _reads(words)
        return words if whole and not _reads(text) else text

    @property
    def _words(self) -> str:
        return self.query_one("#field", Input).value.strip()

    def _chosen_text(self, choice: str) -> str:
        """The breakpoint of a line, with what is written below."""
        words = self._words
        rest = f"at update {words}" if words.isdigit() else words
        if choice.startswith("here "):
            return f"{self._here[int(choice.removeprefix('here '))]} {rest}".strip()
        if choice == _FIRST_BAD:
            return f"{choice} {words}".strip()
        if choice not in (_BEFORE, _AFTER, _LINE):
            return f"update {words}" if words.isdigit() else words
        place = self._line if choice == _LINE else f"{choice} {self._phase}"
        return f"{place} {rest}".strip()

    def _choose(self, choice: str) -> None:
        if choice.startswith("remove "):
            self.dismiss(RemoveBreakpoint(int(choice.removeprefix("remove "))))
            return
        try:
            point = parse(self._text(choice))
        except UsageError as error:
            self.say("", str(error) if self._may_become(choice) else _FIRST_BAD_ALONE)
            return
        self.take(point, describe(point), AddBreakpoint(point))

    def look(self) -> None:
        """Say what the breakpoint would match, or what is wrong with it, as far as it is written."""
        choice = self._choice
        text = self._text(choice)
        if choice.startswith("remove ") or not text:
            self.say("", "")
            return
        try:
            point = parse(text)
        except UsageError:
            self.say("", "" if self._may_become(choice) else _FIRST_BAD_ALONE)
            return
        self.hold(point, describe(point))

    def _may_become(self, choice: str) -> bool:
        """Whether what is written may be but the beginning of a breakpoint. With the first NaN go two clauses alone."""
        return choice != _FIRST_BAD or any(one.startswith(self._words.partition(" ")[0]) for one in _WITH_FIRST_BAD)


def _reads(text: str) -> bool:
    """Whether a text is a breakpoint."""
    try:
        parse(text)
    except UsageError:
        return False
    return True


def _way(text: str) -> str:
    """The line of a breakpoint on what is under the cursor."""
    return f"stop {plain(text if text.startswith(('when ', 'before ', 'after ')) else f'at the {text}')}"
