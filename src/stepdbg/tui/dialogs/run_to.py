"""How far to run: an update, an epoch, a phase, a line, a condition or a time."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.errors import UsageError
from stepdbg.protocol.breakpoint_text import destination, goal_words
from stepdbg.protocol.messages import Breakpoint
from stepdbg.tui.dialogs.place import PlaceDialog, Surroundings
from stepdbg.tui.drawing.lines import Glyphs


class RunToDialog(PlaceDialog[Breakpoint]):
    """Asks where training is to run to."""

    TAKES = "runs there"

    def __init__(
        self,
        before: str,
        now: Callable[[], tuple[int, int | None]],
        glyphs: Glyphs,
        around: Surroundings,
        value: str = "",
    ) -> None:
        """Ask.

        Args:
            before: Where it is on its way to; empty for nowhere.
            now: Tells the update and the epoch that training is in; None for an epoch that is not counted.
            glyphs: The characters there are.
            around: What the place is held against.
            value: What the field begins with.
        """
        super().__init__(f"Run to, and not to {before}" if before else "Run to", glyphs, around)
        self._now, self._value = now, value

    def fill(self) -> list[Widget]:
        """The field, what that would mean, and what is wrong with it."""
        example = f"{self._now()[0] + 100}, epoch 3, step of opt, train.py:48, loss < 0.1, 10 min, 14:30"
        return [
            Input(self._value, placeholder=example, id="line"),
            *self.said(),
            Static(
                "an update, an epoch, a phase, a line, a condition or a time; enter runs there, escape cancels",
                classes="hint",
                markup=False,
            ),
        ]

    def on_mount(self) -> None:
        """What is there already is looked at."""
        self.look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Run there, if it can be read."""
        try:
            goal = destination(event.value, *self._now())
        except UsageError as error:
            self.say("", str(error))
            return
        self.take(_place(goal), _words(goal), goal)

    def look(self) -> None:
        """Say what is meant, as far as it is written."""
        try:
            goal = destination(self.query_one("#line", Input).value, *self._now())
        except UsageError:
            self.say("", "")  # it is still being written
            return
        self.hold(_place(goal), _words(goal))


def _place(goal: Breakpoint) -> Breakpoint:
    """The place of a goal, as any breakpoint may be at it."""
    return msgspec.structs.replace(goal, goal=False, once=goal.time is not None)


def _words(goal: Breakpoint) -> str:
    return f"to {goal_words(goal)}"
