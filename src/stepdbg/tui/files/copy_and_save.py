"""What keeps something of a session beyond it: copy to the clipboard, save to a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from stepdbg.errors import SaveError, StepdbgError
from stepdbg.listing.search import TENSORS
from stepdbg.printable import printable, printable_lines
from stepdbg.protocol.messages import (
    ListObjects,
    Objects,
    Refusal,
    Save,
    Saved,
    Summaries,
    Summarise,
    Summary,
)
from stepdbg.tui.drawing.numbers import plural, size
from stepdbg.tui.files import formats as saving
from stepdbg.tui.files import tables
from stepdbg.tui.files.clipboard import sequence
from stepdbg.tui.host import Host
from stepdbg.tui.state.answers import OBJECTS, Answer
from stepdbg.tui.state.selection import Copied
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.top.session_sentence import session_sentence

if TYPE_CHECKING:
    from stepdbg.tui.files.save_dialog import Wish

_AT_ONCE = 2_000
"""Tensors whose figures are asked for at a time."""
_TOLD = 40
"""Characters of what was copied that the notice repeats."""


class CopyAndSave:
    """Copies and saves."""

    def __init__(self, app: Host) -> None:
        self._app = app

    def copy(self, *, more: bool) -> None:
        """What is under the cursor, or more of it, to the terminal's clipboard; and say what."""
        app = self._app
        panel = app.panel_layout.in_focus()
        if panel is not None:
            found = panel.copied_more() if more else panel.copied()
        elif more:
            found = Copied("header, rail and sentence", app.panel_layout.top.text())
        else:
            found = Copied("the sentence", session_sentence(app.seen))
        if found is None or not found.words:
            return
        try:
            written = sequence(found.words, tmux=bool(os.environ.get("TMUX")))
        except ValueError as error:
            app.notify(f"not copied: {error}", severity="warning", markup=False)
            return
        app.write_to_terminal(written)
        first = found.words.splitlines()[0]
        told = first if len(first) <= _TOLD and first == found.words else first[:_TOLD] + app.glyphs.ellipsis
        app.notify(f"copied {found.what}: {told}", markup=False)

    def save(self) -> None:
        """Ask what and where."""
        from stepdbg.tui.files.save_dialog import SaveDialog

        app = self._app
        snapshot = app.snapshot
        name = app.panel_layout.focused_name()
        panel = app.panel_layout.in_focus()
        chosen = (panel.selected_object() if panel is not None else "") or app.panel_layout.selected_object()
        dialog = SaveDialog(
            saving.choices(snapshot, name, chosen),
            saving.directory(snapshot),
            lambda choice: saving.file_name(choice, snapshot),
            self._save,
            app.glyphs,
        )
        app.clear_notifications()  # a picture of the screen is to show the screen
        app.push_screen(dialog, self._saved)

    def _saved(self, words: str | None) -> None:
        if words is not None:
            self._app.notify(words, timeout=8, markup=False)

    async def _save(self, wish: Wish) -> str:
        """Save, and say what was saved.

        Raises:
            StepdbgError: why it could not be.
        """
        choice, path = wish
        if choice.what in ("tensor", "state"):
            name = choice.name if choice.what == "tensor" else ""
            result = await self._app.hub.answer(Save(str(path), choice.suffix, name))  # type: ignore[arg-type]
            if isinstance(result, Refusal):
                raise SaveError(result.problem)
            if not isinstance(result, Saved):
                raise StepdbgError("that was not answered")
            left = f"; left out: {', '.join(result.left_out)}" if result.left_out else ""
            return f"saved {plural(result.tensors, 'tensor')}, {size(result.bytes)}, to {result.path}{left}"
        written = saving.write_text(path, await self._text(choice))
        return f"saved {size(written)} to {path}"

    async def _whole_model(self, snapshot: Snapshot) -> Snapshot:
        """The snapshot with every row of the model and its figures, whatever is in view."""
        listed = await self._app.hub.answer(ListObjects())
        if not isinstance(listed, Objects):
            return snapshot
        names = [row.name for row in listed.rows if row.node in TENSORS]
        figures: list[Summary] = []
        for start in range(0, len(names), _AT_ONCE):
            result = await self._app.hub.answer(Summarise(tuple(names[start : start + _AT_ONCE])))
            figures += result.rows if isinstance(result, Summaries) else ()
        answers = {**snapshot.answers, OBJECTS.name: Answer(listed, snapshot.boundary)}
        return replace(snapshot, answers=answers, summaries={row.object: row for row in figures})

    async def _text(self, choice: saving.Choice) -> str:
        app = self._app
        if choice.what == "screen":
            return _picture(app)
        if choice.name not in tables.TABLES:
            return printable_lines(app.panel_layout.panel_text(choice.name))
        snapshot = app.snapshot
        if choice.name == "model" and snapshot.paused:
            snapshot = await self._whole_model(snapshot)
        rows_of = tables.table(choice.name, snapshot)
        return tables.as_csv(rows_of) if choice.suffix == "csv" else tables.as_text(rows_of)


def _picture(app: Host) -> str:
    """What is on the screen below any dialog, as SVG."""
    from rich.terminal_theme import DEFAULT_TERMINAL_THEME, SVG_EXPORT_THEME

    from stepdbg.tui.drawing.picture import svg

    width, height = app.size
    lines = app.screen_stack[0]._compositor.render_strips()
    title = printable(f"stepdbg {app.snapshot.session.script}")
    theme = SVG_EXPORT_THEME if app.current_theme.dark else DEFAULT_TERMINAL_THEME
    return svg(lines, width, height, title, theme)
