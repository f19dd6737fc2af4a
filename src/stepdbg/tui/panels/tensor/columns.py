"""The same elements of a tensor's parts beside each other: value, gradient, optimizer state, and what was before."""

from __future__ import annotations

import struct

from stepdbg.protocol.messages import Beside, Condition, Side, TensorView, Window
from stepdbg.tui.drawing.lines import Frame, Line, Span, cropped, padded, right
from stepdbg.tui.drawing.numbers import figure
from stepdbg.tui.panels.tensor import heatmap as heat
from stepdbg.tui.panels.tensor.change import change_of
from stepdbg.tui.panels.tensor.conditions import holds
from stepdbg.tui.panels.tensor.targets import CellTarget, PartTarget

CELL = 12
"""Cells of the terminal that a column takes."""


def columns(view: TensorView) -> tuple[tuple[str, str, Side], ...]:
    """What stands beside each other: label, object, side. The value first, with what it was and the difference."""
    found: list[tuple[str, str, Side]] = []
    for part in heat.parts_of(view):
        if part.shape != view.shape:
            continue
        found.append((part.label, part.object, "now"))
        if part.label == "value" and (change := change_of(view, "value")) is not None and not change.problem:
            found += [("before", part.object, "before"), ("change", part.object, "change")]
    return tuple(found)


def draw(
    beside: Beside | None,
    view: TensorView,
    part: str,
    cursor: tuple[int, int],
    row: int,
    rows: int,
    indices: list[tuple[int, ...]],
    frame: Frame,
    condition: Condition | None,
) -> list[Line]:
    """The line of labels, then a line for each row of the table in view.

    Args:
        beside: The numbers.
        view: The tensor.
        part: The label of the part that is shown.
        cursor: Row and column of the cell under the cursor.
        row: The first row of the table in view.
        rows: So many are.
        indices: The index of the element in each of them.
        frame: The place.
        condition: Which elements are marked.
    """
    shown = columns(view)
    wide = max([8, *(len(_index(index)) + 2 for index in indices)])
    top: list[Span] = [Span(" " * wide)]
    for label, _, side in shown:
        here = label == part and side == "now"
        top.append(
            Span(right(label, CELL), "accent" if here else "heading", PartTarget(label) if side == "now" else None)
        )
    lines: list[Line] = [cropped(tuple(top), frame.width)]
    known = dict(zip(beside.parts, beside.windows, strict=True)) if beside is not None else {}
    numbers = {key: _numbers(window) for key, window in known.items() if window is not None and window.row == row}
    for offset, index in enumerate(indices[:rows]):
        here = row + offset == cursor[0]
        target = CellTarget(row + offset, cursor[1])
        sign = frame.glyphs.cursor if here else " "
        spans = [Span(f"{sign} {padded(_index(index), wide - 2)}", "accent" if here else "heading", target)]
        for _, name, side in shown:
            values = numbers.get((name, side), [])
            words = figure(values[offset]) if offset < len(values) else "none"
            role = "strong" if here else "number" if offset < len(values) else "dim"
            if offset < len(values) and condition is not None and holds(condition, values[offset]):
                words, role = f"*{words}", "match"
            spans.append(Span(right(words, CELL), role, target))
        lines.append(cropped(tuple(spans), frame.width))
    return lines


def _index(index: tuple[int, ...]) -> str:
    return f"[{', '.join(map(str, index))}]"


def _numbers(window: Window) -> list[float]:
    return list(struct.unpack(f"<{window.rows * window.columns}{window.format}", window.values))
