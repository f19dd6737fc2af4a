"""Panel 4: each optimizer's groups with their hyperparameters, and the ledger of what it keeps of each parameter."""

from __future__ import annotations

from typing import Literal, NamedTuple

from stepdbg.protocol.messages import LedgerRow, OptimizerInfo
from stepdbg.tui.snapshot import Snapshot
from stepdbg.tui.views.lines import Drawing, Frame, Line, Span, padded, plain, right, shortened_name
from stepdbg.tui.views.numbers import count, figure, plural


class Item(NamedTuple):
    """A row of the panel, and what it stands for."""

    kind: Literal["optimizer", "group", "hyperparameter", "heading", "ledger", "note"]
    words: str = ""
    value: str = ""
    object: str = ""
    """What `e` edits there, or what enter opens."""
    editable: bool = False
    row: LedgerRow | None = None
    keys: tuple[str, ...] = ()


def items(snapshot: Snapshot) -> list[Item]:
    """All rows, top to bottom."""
    found: list[Item] = []
    for optimizer in snapshot.optimizers.optimizers if snapshot.optimizers else ():
        words = f"{optimizer.name} {optimizer.cls}"
        found.append(Item("optimizer", words, plural(optimizer.steps, "step")))
        for group in optimizer.groups:
            tensors = f"{plural(group.tensors, 'tensor')}, {count(group.elements)} elements"
            found.append(Item("group", f"group {group.index}", tensors))
            found += [
                Item("hyperparameter", one.name, one.value, one.object, one.editable) for one in group.hyperparameters
            ]
        found += _ledger(optimizer)
    return found


def _ledger(optimizer: OptimizerInfo) -> list[Item]:
    keys: list[str] = []
    for row in optimizer.ledger:
        keys += [entry.key for entry in row.state if entry.key not in keys]
    shown = tuple(keys)
    found = [Item("heading", "parameter", keys=shown)]
    found += [Item("ledger", row.parameter, object=row.parameter, row=row, keys=shown) for row in optimizer.ledger]
    if optimizer.left_out:
        found.append(Item("note", f"and {plural(optimizer.left_out, 'parameter')} more"))
    return found


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The panel; its body has a row per item."""
    rows = items(snapshot)
    if not rows:
        words = "No optimizer has been seen yet. It is found at its first zero_grad or step."
        return Drawing(title=(Span("none yet", "dim"),), body=((Span(f" {words}"[: frame.width], "dim"),),))
    optimizers = snapshot.optimizers.optimizers if snapshot.optimizers else ()
    title = (Span(plain(", ".join(f"{one.name} {one.cls}" for one in optimizers[:2]))),)
    body = tuple(
        _line(item, index == frame.cursor, frame)
        for index, item in enumerate(rows[frame.top : frame.top + frame.height], frame.top)
    )
    return Drawing(title, (), body, len(rows))


def _line(item: Item, here: bool, frame: Frame) -> Line:
    glyphs = frame.glyphs
    cursor = Span(glyphs.cursor if here else " ", "cursor" if frame.focused else "dim")
    emphasis = ".here" if here and frame.focused else ""
    match item.kind:
        case "optimizer":
            return (cursor, Span(plain(item.words), f"strong{emphasis}"), Span(f"  {item.value}", "dim"))
        case "group":
            return (cursor, Span(f" {item.words}", f"module{emphasis}"), Span(f"  {item.value}", "dim"))
        case "hyperparameter":
            name = Span(padded(f"   {plain(item.words)}", 20, glyphs.ellipsis), emphasis.lstrip("."))
            value = Span(plain(item.value)[: max(1, frame.width - 22)], "number" if item.editable else "dim")
            return (cursor, name, value)
        case "heading":
            return (cursor, *_fields("parameter", "group", "grad", list(item.keys), "heading", frame))
        case "ledger" if item.row is not None:
            return (cursor, *_ledger_line(item.row, item.keys, emphasis, frame))
    return (cursor, Span(f" {plain(item.words)}", "dim"))


def _name_width(frame: Frame, keys: int) -> int:
    return max(14, min(40, frame.width - 2 - 12 - 11 * min(keys, 3)))


def _fields(name: str, group: str, grad: str, states: list[str], role: str, frame: Frame) -> tuple[Span, ...]:
    wide = _name_width(frame, len(states))
    spans = [Span(" " + padded(name, wide), role), Span(right(group, 6), role), Span(right(grad, 6), role)]
    room = frame.width - 2 - wide - 12
    spans += [Span(right(state, 11, frame.glyphs.ellipsis), role) for state in states[: max(0, room // 11)]]
    return tuple(spans)


def _ledger_line(row: LedgerRow, keys: tuple[str, ...], emphasis: str, frame: Frame) -> tuple[Span, ...]:
    wide = _name_width(frame, len(keys))
    by_key = {entry.key: entry for entry in row.state}
    name = padded(shortened_name(plain(row.parameter), wide, frame.glyphs.ellipsis), wide)
    spans = [
        Span(f" {name}", emphasis.lstrip("."), f"object:{row.parameter}"),
        Span(right(str(row.group), 6), "dim"),
        Span(right(frame.glyphs.yes if row.has_grad else frame.glyphs.no, 6), "number"),
    ]
    room = frame.width - 2 - wide - 12
    for key in keys[: max(0, room // 11)]:
        entry = by_key.get(key)
        words = "" if entry is None else (figure(entry.norm) if entry.norm is not None else entry.text)
        spans.append(Span(right(words, 11, frame.glyphs.ellipsis), "number"))
    return tuple(spans)
