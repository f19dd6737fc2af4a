"""An expression to be watched: written out, and evaluated where training stands while it is written."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from textual import work
from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.errors import StepdbgError, UsageError
from stepdbg.protocol.messages import AddWatch, CheckWatch, Query, Result, Watch, WatchChecked
from stepdbg.protocol.watch_text import EXAMPLES, read_watch
from stepdbg.tui.dialogs.checked import CheckedDialog
from stepdbg.tui.drawing.lines import Glyphs
from stepdbg.tui.drawing.numbers import figure


class WatchDialog(CheckedDialog[AddWatch]):
    """Asks what to watch."""

    def __init__(
        self,
        expression: str,
        there: tuple[Watch, ...],
        glyphs: Glyphs,
        ask: Callable[[Query], Awaitable[Result]] | None,
    ) -> None:
        """Ask.

        Args:
            expression: What the field begins with: what is under the cursor, or nothing.
            there: The watches of the session.
            glyphs: The characters there are.
            ask: Asks the training process; None while training cannot answer.
        """
        super().__init__("Watch", glyphs)
        self._expression = expression
        self._there = {one.expression for one in there if one.enabled}
        self._ask = ask

    def fill(self) -> list[Widget]:
        """The field, what it gives here, and what is wrong with it."""
        return [
            Input(self._expression, placeholder=EXAMPLES.replace("`", ""), id="line"),
            *self.said(),
            Static(
                "a variable, any Python of the frame, or loss, lr, grad_norm(), norm(x), mean(x), ratio(x), ema(loss); "
                'x is a tensor or a name: norm("model.*.grad")',
                classes="hint",
                markup=False,
            ),
            Static("enter watches it, escape cancels", classes="hint", markup=False),
        ]

    def on_mount(self) -> None:
        """What is there already is looked at."""
        self.look()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Take it, if it can be read."""
        try:
            self.dismiss(AddWatch(read_watch(event.value)))
        except UsageError as error:
            self.say("", str(error))

    @property
    def _written(self) -> str:
        return self.query_one("#line", Input).value.strip()

    def look(self) -> None:
        """Say what the expression gives, as far as it is written."""
        text = self._written
        try:
            read_watch(text)
        except UsageError:
            self.say("", "")  # it is still being written
            return
        self.say("it is watched already" if text in self._there else "", "")
        if self._ask is not None:
            self._check(text)

    @work(exclusive=True)
    async def _check(self, text: str) -> None:
        assert self._ask is not None
        try:
            result = await self._ask(CheckWatch(text))
        except StepdbgError:
            return
        if self.is_open and isinstance(result, WatchChecked) and text == self._written:
            value = result.value
            gives = value.text or figure(value.value) if not value.problem else ""
            already = "; it is watched already" if text in self._there else ""
            self.say(f"here: {gives}{already}" if gives else already.lstrip("; "), value.problem)
