"""An edit: an expression, what it would do (old → new), and only then the doing.

The first enter previews, the second applies. What the rank refuses is shown as it says it, and nothing is changed.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual import work
from textual.binding import Binding, BindingType
from textual.widget import Widget
from textual.widgets import Input, OptionList, Static
from textual.widgets.option_list import Option

from stepdbg.errors import StepdbgError
from stepdbg.printable import printable_lines
from stepdbg.protocol.messages import ApplyEdit, Edit, EditDone, EditPreview, PreviewEdit, Query, Refusal, Result
from stepdbg.tui.dialogs.dialog import Dialog
from stepdbg.tui.drawing.lines import Glyphs, plain
from stepdbg.tui.state.selection import Editable

THROUGH, UNDER = "through the tensor: backward refuses", "under autograd's feet: backward goes on"
"""The two ways to write a value that autograd has saved."""
MISSING = "It is None; in the expression, value is its parameter."
"""What is said of a gradient that is to be made."""


class EditDialog(Dialog[Edit]):
    """Asks for the expression, previews, applies."""

    DEFAULT_CSS = """
    EditDialog .none { display: none; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+t", "toggle_whole", "element or whole", show=False),
        Binding("ctrl+c", "interrupt", "interrupt", show=False, priority=True),
    ]

    def __init__(
        self,
        target: Editable,
        ask: Callable[[Query], Awaitable[Result]],
        interrupt: Callable[[], None],
        glyphs: Glyphs,
        *,
        whole: bool = False,
    ) -> None:
        super().__init__("Edit", glyphs)
        self._target = target
        self._ask = ask
        self._interrupt = interrupt
        self._evaluates = False
        """Whether an expression is being evaluated, which may take for ever."""
        self._whole = whole or target.element is None
        self._where = "" if self._whole else _bracketed(target.element)
        """The part that is edited, as the user has typed it; empty for the whole."""
        self._preview: EditPreview | None = None
        self._previewed: PreviewEdit | None = None

    @property
    def index(self) -> tuple[int, ...] | None:
        """The element to edit, or None for the whole and for a slice."""
        element = self._target.element
        return element if element is not None and self._where == _bracketed(element) else None

    def fill(self) -> list[Widget]:
        """What is edited, the field, which part of it, what would happen."""
        part = "" if self._target.sliceable else "none"
        example = "torch.zeros_like(value)" if self._target.missing else "0.5 or old * 0.5"
        return [
            Static("", id="target", markup=False),
            Input(placeholder=f"an expression, for example {example}", id="expression"),
            Static(MISSING, classes="hint" if self._target.missing else "hint none", markup=False),
            Static("part of it (a slice, as [0, :8, ::2]; empty: all of it)", classes=f"hint {part}", markup=False),
            Input(self._where, id="where", classes=part, disabled=not self._target.sliceable),
            Static("", id="preview", markup=False),
            Static("", id="warning", classes="warning", markup=False),
            OptionList(Option(THROUGH), Option(UNDER, id="under"), id="ways", classes="none", disabled=True),
            Static("", id="problem", classes="problem", markup=False),
            Static("", id="keys", classes="hint", markup=False),
        ]

    def on_mount(self) -> None:
        """Say what is edited."""
        self.query_one(OptionList).highlighted = 0
        self._say()
        self.query_one("#expression", Input).focus()

    def action_toggle_whole(self) -> None:
        """From the element to the whole tensor, and back."""
        if self._target.element:
            self._where = "" if self._where else _bracketed(self._target.element)
            self.query_one("#where", Input).value = self._where
            self._preview = None
            self._say()

    def action_interrupt(self) -> None:
        """The expression takes too long; what had been computed of it is dropped."""
        if self._evaluates:
            self._interrupt()

    def action_dismiss_dialog(self) -> None:
        """Leave; nothing goes on that nobody waits for."""
        self.action_interrupt()
        super().action_dismiss_dialog()

    def on_input_changed(self, event: Input.Changed) -> None:
        """Forget the preview: the expression, or the part that it is for, is another."""
        if not self.is_open:
            return
        if event.input.id == "where":
            self._where = event.value.strip()
            if self._preview is None:
                self._say()
        if self._preview is not None and self._request() != self._previewed:
            self._preview = None
            self._say()

    def on_input_submitted(self, event: Input.Submitted) -> None:
        """Preview, or do what was previewed."""
        request = self._request()
        if self._preview is not None and request == self._previewed:
            ways = self.query_one(OptionList)
            self._apply(self._preview.token, self._preview.saved and ways.highlighted == 1)
        elif request.expression:
            self._try(request)

    def on_option_list_option_selected(self, event: OptionList.OptionSelected) -> None:
        """Enter or a click on one of the two ways: do it so."""
        if self._preview is not None:
            self._apply(self._preview.token, event.option_id == "under")

    def _request(self) -> PreviewEdit:
        """What is to be previewed."""
        target, expression = self._target, self.query_one("#expression", Input).value.strip()
        if self.index is not None:
            return PreviewEdit(target.object, expression, self.index, frame=target.frame)
        return PreviewEdit(target.object, expression, None, self._where, target.frame)

    @work(exclusive=True)
    async def _try(self, request: PreviewEdit) -> None:
        self._evaluates = True
        self._say()
        try:
            result = await self._answer(request)
        finally:
            self._evaluates = False
        if not self.is_open:
            return
        if isinstance(result, EditPreview):
            self._preview, self._previewed = result, request
            self._say()
        elif isinstance(result, Refusal):
            self._say(result.problem)

    @work(exclusive=True)
    async def _apply(self, token: int, under: bool) -> None:
        result = await self._answer(ApplyEdit(token, under))
        if not self.is_open:
            return
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
        whole = bool(self._target.element) and not self._where
        what = f"  (the whole {'tensor' if self._target.sliceable else 'of it'})" if whole else ""
        where = f"[{self._where.strip('[]')}]" if self._where else ""
        self.query_one("#target", Static).update(plain(f"{self._target.object}{where}{what}  ="))
        preview = self._preview
        arrow = self.glyphs.becomes
        shown = plain(f"{preview.old}  {arrow}  {preview.new}") if preview else ""
        self.query_one("#preview", Static).update(f"\n{shown}" if shown else "")
        warning = preview.warning if preview else ""
        self.query_one("#warning", Static).update(f"\nMind: {printable_lines(warning)}" if warning else "")
        self.query_one("#problem", Static).update(f"\n{printable_lines(problem)}" if problem else "")
        ways = self.query_one(OptionList)
        ways.disabled = preview is None or not preview.saved
        ways.set_class(ways.disabled, "none")
        doing = "preview" if preview is None else ("do it all the same" if preview.warning else "do it")
        if preview is not None and preview.saved:
            doing = "do it through the tensor; tab: choose"
        keys = f"enter: {doing}   escape: cancel"
        if self._evaluates:
            keys = "evaluating" + self.glyphs.ellipsis + "   ctrl+c: interrupt   escape: cancel"
        if self._target.element:
            all_of_it = "whole tensor" if self._target.sliceable else "all of it"
            keys += f"   ctrl+t: {'one element' if whole else all_of_it}"
        self.query_one("#keys", Static).update(keys)


def _bracketed(element: tuple[int, ...] | None) -> str:
    return f"[{', '.join(map(str, element))}]" if element else ""
