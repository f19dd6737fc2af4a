"""What edits a tensor, a hyperparameter or a variable, and takes an edit back."""

from __future__ import annotations

from stepdbg.protocol.messages import Edit, EditDone, Interrupt, Refusal, UndoEdit
from stepdbg.tui.host import Host
from stepdbg.tui.words.edits import edit_words

PATIENCE = 2.0
"""Seconds that `e` waits for the numbers of a tensor that has just been opened."""


class Editing:
    """Edits what is under the cursor."""

    def __init__(self, host: Host) -> None:
        self._host = host

    async def edit(self, *, whole: bool) -> None:
        """Ask for the expression, show what it would do, and do it.

        Args:
            whole: Edit the whole tensor, and not the element under the cursor.
        """
        from stepdbg.tui.dialogs.edit import EditDialog

        host = self._host
        panel = host.panel_layout.in_focus()
        target = panel.editable() if panel is not None else None
        if panel is not None and target is None:
            await host.hub.idle(PATIENCE)
            target = panel.editable()
        if target is not None:
            rank = host.snapshot.rank
            dialog = EditDialog(
                target, host.hub.answer, lambda: host.hub.send(Interrupt(rank)), host.glyphs, whole=whole
            )
            host.push_screen(dialog, self._edited)

    def _edited(self, edit: Edit | None) -> None:
        """An edit is done: what the panels know is old."""
        if edit is None:
            return
        self._host.notify(edit_words(edit, self._host.glyphs))
        self._host.hub.forget_stale()
        self._host.hub.ask()

    async def undo(self) -> None:
        """Take the last edit back."""
        result = await self._host.hub.answer(UndoEdit())
        if isinstance(result, Refusal):
            self._host.notify(result.problem, severity="warning")
        elif isinstance(result, EditDone):
            self._edited(result.edit)
