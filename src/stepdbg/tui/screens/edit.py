"""An edit: an expression, what it would do (old → new), and only then the doing.

The first enter previews, the second applies. What the rank refuses is shown as it says it, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, Static

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import ApplyEdit, Edit, EditDone, EditPreview, PreviewEdit, Query, Refusal, Result
from stepdbg.tui.screens.dialog import Dialog
from stepdbg.tui.views.lines import Glyphs
from stepdbg.tui.widgets.panel import Editable


class EditDialog(Dialog[Edit]):
    """Asks for the expression, previews, applies."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("ctrl+t", "toggle_whole", "element or whole", show=False)]

    def __init__(
        self, target: Editable, ask: Callable[[Query], Awaitable[Result]], glyphs: Glyphs, *, whole: bool = False
    ) -> None:
        super().__init__("Edit", glyphs)
        self._target = target
        self._ask = ask
        self._whole = whole or target.element is None
        self._preview: EditPreview | None = None
        self._previewed = ""

    @property
    def index(self) -> tuple[int, ...] | None:
        """The element to edit, or None for the whole."""
        return None if self._whole else self._target.element

    def fill(self) -> list[Widget]:
        """What is edited, the field, what would happen."""
        return [
            Static("", id="target", markup=False),
            Input(placeholder="an expression, for example 0.5 or old * 0.5", id="expression"),
            Static("", id="preview", markup=False),
            Static("", id="warning", classes="warning", markup=False),
            Static("", id="problem", classes="problem", markup=False),
            Static("", id="keys", classes="hint", markup=False),
        ]

    def on_mount(self) -> None:
        """Say what is edited."""
        self._say()
        self.query_one(Input).focus()

    def action_toggle_whole(self) -> None:
        """From the element to the whole tensor, and back."""
        if self._target.element is not None:
            self._whole = not self._whole
            self._preview = None
            self._say()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Another expression has not been previewed."""
        if self._preview is not None and event.value != self._previewed:
            self._preview = None
            self._say()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Preview, or do what was previewed."""
        expression = event.value.strip()
        if self._preview is not None and expression == self._previewed:
            self._apply(self._preview.token)
        elif expression:
            self._try(expression)

    @work(exclusive=True)
    async def _try(self, expression: str) -> None:
        result = await self._answer(PreviewEdit(self._target.object, expression, self.index))
        if isinstance(result, EditPreview):
            self._preview, self._previewed = result, expression
            self._say()
        elif isinstance(result, Refusal):
            self._say(result.problem)

    @work(exclusive=True)
    async def _apply(self, token: int) -> None:
        result = await self._answer(ApplyEdit(token))
        if isinstance(result, EditDone):
            self.dismiss(result.edit)
        elif isinstance(result, Refusal):
            self._preview = None
            self._say(result.problem)

    async def _answer(self, query: Query) -> Result:
        try:
            return await self._ask(query)
        except StepdbgError as error:
            return Refusal(f"{error}; nothing was changed")

    def _say(self, problem: str = "") -> None:
        """Write the lines around the field anew."""
        index = self.index
        place = self._target.object + (f"[{', '.join(map(str, index))}]" if index else "")
        what = "" if index is not None or self._target.element is None else "  (the whole tensor)"
        self.query_one("#target", Static).update(f"{place}{what}  =")
        preview = self._preview
        arrow = self.glyphs.becomes
        shown = f"{preview.old}  {arrow}  {preview.new}" if preview else ""
        self.query_one("#preview", Static).update(f"\n{shown}" if shown else "")
        self.query_one("#warning", Static).update(f"\nMind: {preview.warning}" if preview and preview.warning else "")
        self.query_one("#problem", Static).update(f"\n{problem}" if problem else "")
        doing = "preview" if preview is None else ("do it all the same" if preview.warning else "do it")
        keys = f"enter: {doing}   escape: cancel"
        if self._target.element is not None:
            keys += f"   ctrl+t: {'one element' if self._whole else 'whole tensor'}"
        self.query_one("#keys", Static).update(keys)
