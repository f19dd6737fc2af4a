"""An edit in words: what was written to, and from what to what."""

from __future__ import annotations

from stepdbg.protocol.messages import Edit
from stepdbg.tui.drawing.lines import Glyphs


def edit_words(edit: Edit, glyphs: Glyphs) -> str:
    """`fc1.weight[0, 3]  0.12 → 0.06  (old * 0.5)`, or that it was taken back."""
    if edit.lapsed:
        return f"{object_words(edit)} is gone: its edit cannot be undone"
    if edit.undone:
        return f"undone: {object_words(edit)} is {edit.old} again"
    return f"{object_words(edit)}  {change_words(edit, glyphs)}  ({edit.expression})"


def object_words(edit: Edit) -> str:
    """`fc1.weight[0, 3]`."""
    return edit.object + (f"[{', '.join(map(str, edit.index))}]" if edit.index else edit.where)


def change_words(edit: Edit, glyphs: Glyphs) -> str:
    """`0.12 → 0.06`."""
    return f"{edit.old} {glyphs.becomes} {edit.new}"
