"""Panel 4: each optimizer's groups with their hyperparameters, and the state table: what it keeps of each parameter."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal, NamedTuple

from stepdbg.protocol.messages import Hyperparameter, OptimizerInfo, Optimizers, StateRow
from stepdbg.tui.drawing.lines import (
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    Target,
    clipped,
    lesson,
    padded,
    plain,
    right,
    shortened,
    shortened_name,
    width_of,
)
from stepdbg.tui.drawing.numbers import count, figure, plural
from stepdbg.tui.state.answers import Slot
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ActionTarget

OPTIMIZERS = Slot("optimizers", Optimizers, stale_after_edit=True, kept_when_refused=True)
"""All optimizers, with their groups and what they keep of each parameter."""


class ConstantsTarget(Target, frozen=True):
    """The constants of a group are to be folded or unfolded."""

    group: str
    """The name of the group whose constants a click folds or unfolds."""


class CellTarget(Target, frozen=True):
    """The cursor is to go to a column of the table of states."""

    column: int


class Item(NamedTuple):
    """A row of the panel, and what it stands for."""

    kind: Literal["optimizer", "group", "hyperparameter", "constants", "heading", "state", "note"]
    words: str = ""
    value: str = ""
    object: str = ""
    """What `e` edits there, or what enter opens."""
    element: int | None = None
    """The element of a tuple that the row is of."""
    editable: bool = False
    row: StateRow | None = None
    keys: tuple[str, ...] = ()
    key: str = ""
    """What shows the foresight."""
    several: bool = False
    """Whether the optimizer has more than one group."""
    open: bool = False
    """Whether the constants below it have rows."""


_CONSTANTS = ("eps", "initial_lr", "lambd", "dampening")
"""Settings that hardly anybody changes."""
_OFF = ("False", "None")


def constant(one: Hyperparameter) -> bool:
    """Whether a setting is one of those that are folded away: it is off, or hardly ever changed."""
    return one.value in _OFF or one.name in _CONSTANTS


def optimizers_of(snapshot: Snapshot) -> tuple[OptimizerInfo, ...]:
    """All optimizers, as far as they are known."""
    known = snapshot.answer(OPTIMIZERS)
    return known.optimizers if known is not None else ()


def items(snapshot: Snapshot, unfolded: Collection[str] = ()) -> list[Item]:
    """All rows, top to bottom: what matters first. Of the groups in `unfolded` the constants have rows, too."""
    found: list[Item] = []
    for optimizer in optimizers_of(snapshot):
        words = f"{optimizer.name} {optimizer.cls}"
        key = snapshot.key("foresee")
        found.append(Item("optimizer", words, plural(optimizer.steps, "step"), key=key))
        for group in optimizer.groups:
            tensors = f"{plural(group.tensors, 'tensor')}, {count(group.elements)} elements"
            found.append(Item("group", f"group {group.index}", tensors))
            constants = [one for one in group.hyperparameters if constant(one)]
            for one in group.hyperparameters:
                if one not in constants:
                    found += _settings(one)
            name = f"{optimizer.name}:{group.index}"
            if constants:
                words = ", ".join(f"{one.name} {one.value}" for one in constants)
                found.append(Item("constants", plural(len(constants), "constant"), words, name, open=name in unfolded))
            if name in unfolded:
                for one in constants:
                    found += _settings(one)
        found += _state_table(optimizer)
    return found


def _settings(one: Hyperparameter) -> list[Item]:
    """The row of a setting, and of each of its elements."""
    return [
        Item("hyperparameter", one.name, one.value, one.object, editable=one.editable),
        *(
            Item("hyperparameter", f"  [{place}]", words, one.object, place, one.editable)
            for place, words in enumerate(one.elements)
        ),
    ]


def _state_table(optimizer: OptimizerInfo) -> list[Item]:
    keys: list[str] = []
    for row in optimizer.state_table:
        keys += [entry.key for entry in row.state if entry.key not in keys]
    shown, several = tuple(keys), len(optimizer.groups) > 1
    found = [Item("heading", "parameter", keys=shown, several=several)]
    found += [
        Item("state", row.parameter, object=row.parameter, row=row, keys=shown, several=several)
        for row in optimizer.state_table
    ]
    if optimizer.left_out:
        found.append(Item("note", f"and {plural(optimizer.left_out, 'parameter')} more"))
    return found


def draw(snapshot: Snapshot, frame: Frame, unfolded: Collection[str] = ()) -> Drawing:
    """The panel; its body has a row per item."""
    rows = items(snapshot, unfolded)
    if not rows:
        words = "No optimizer has been seen yet. It is found at its first zero_grad or step."
        known = snapshot.answer(OPTIMIZERS)
        if snapshot.ending:
            words = "No optimizer is alive any more, at the end of the script."
        if snapshot.looking_back and known is None:
            words = "Not recorded: nobody asked for the optimizers at this stop."
        elif known is not None and (steps := known.by_hand):
            words = (
                f"This script steps by hand: after backward it has changed parameters itself, {plural(steps, 'time')} "
                "so far. There is no optimizer, so there are no hyperparameters and no state to show."
            )
            return Drawing(title=(Span("by hand", "dim"),), body=lesson(words, frame))
        return Drawing(title=(Span("none" if snapshot.ending else "none yet", "dim"),), body=lesson(words, frame))
    named = (one.name if one.name == one.cls else f"{one.name} {one.cls}" for one in optimizers_of(snapshot)[:2])
    title = tuple(Span(f"{', ' if number else ''}{plain(name)}") for number, name in enumerate(named))
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
            line = (cursor, Span(plain(item.words), f"strong{emphasis}"), Span(f"  {item.value}", "dim"))
            hint = Span(f"   {item.key}: what step would do", "faint", ActionTarget("foresee"))
            return (*line, hint) if width_of((*line, hint)) <= frame.width else line
        case "group":
            return (cursor, Span(f" {item.words}", f"module{emphasis}"), Span(f"  {item.value}", "dim"))
        case "hyperparameter":
            column = max(16, min(26, frame.width - 14))
            name = Span(padded(f"   {plain(item.words)}", column - 1, glyphs.ellipsis) + " ", emphasis.lstrip("."))
            fitting = shortened(plain(item.value), max(1, frame.width - column - 2), glyphs.ellipsis)
            value = Span(fitting, "number" if item.editable else "dim")
            return (cursor, name, value)
        case "constants":
            sign = glyphs.branch if item.open else glyphs.folded
            target = ConstantsTarget(item.object)
            words = Span(f" {sign} {item.words}", emphasis.lstrip(".") or "dim", target)
            told = "" if item.open else f"  {plain(item.value)}"
            return clipped((cursor, words, Span(told, "faint", target)), frame.width, glyphs.ellipsis)
        case "heading":
            return (cursor, *_heading(item.keys, widths(frame, item.keys, item.several), glyphs))
        case "state" if item.row is not None:
            wide = widths(frame, item.keys, item.several)
            cell = frame.column if here and frame.focused else None
            return (cursor, *_state_line(item.row, item.keys, wide, emphasis, cell, glyphs))
    return (cursor, Span(f" {plain(item.words)}", "dim"))


class Widths(NamedTuple):
    """Widths of the state table's columns; states that do not fit are left out."""

    name: int
    group: int
    grad: int
    states: tuple[int, ...]


def widths(frame: Frame, keys: tuple[str, ...], several: bool) -> Widths:
    """The parameter's name gets what the figures leave, and 16 cells at least."""
    group = 7 if several else 0
    states: list[int] = []
    for key in keys:
        wide = 7 if key == "step" else min(16, max(8, len(key)) + 2)
        if frame.width - 2 - group - 6 - sum(states) - wide < 16:
            break
        states.append(wide)
    return Widths(max(8, min(40, frame.width - 2 - group - 6 - sum(states))), group, 6, tuple(states))


def _heading(keys: tuple[str, ...], wide: Widths, glyphs: Glyphs) -> tuple[Span, ...]:
    named = "parameter; norms of state" if keys and wide.name >= 26 else "parameter"
    words = f" {padded(named, wide.name)}" + (right("group", wide.group) if wide.group else "")
    words += right("grad", wide.grad)
    words += "".join(right(key, each, glyphs.ellipsis) for key, each in zip(keys, wide.states, strict=False))
    return (Span(words, "heading"),)


def _state_line(
    row: StateRow, keys: tuple[str, ...], wide: Widths, emphasis: str, column: int | None, glyphs: Glyphs
) -> tuple[Span, ...]:
    by_key = {entry.key: entry for entry in row.state}
    name = padded(shortened_name(plain(row.parameter), wide.name, glyphs.ellipsis), wide.name)
    spans = [Span(f" {name}", "cell.here" if column == 0 else emphasis.lstrip("."), CellTarget(0))]
    if wide.group:
        spans.append(Span(right(str(row.group), wide.group), "dim"))
    grad = right(glyphs.yes if row.has_grad else glyphs.no, wide.grad)
    spans.append(Span(grad, "cell.here" if column == 1 else "number", CellTarget(1)))
    for place, (key, each) in enumerate(zip(keys, wide.states, strict=False), 2):
        entry = by_key.get(key)
        words = "" if entry is None else (figure(entry.norm) if entry.norm is not None else entry.text)
        role = "cell.here" if column == place else "number"
        spans.append(Span(right(words, each, glyphs.ellipsis), role, CellTarget(place)))
    return tuple(spans)


def cell_object(item: Item, column: int) -> str:
    """The object of a cell of the state table: the parameter, its gradient (None or not), an entry of its state.

    It is empty where there is none.
    """
    if item.row is None or column == 0:
        return item.object
    if column == 1:
        return f"{item.object}.grad"
    key = item.keys[column - 2] if column - 2 < len(item.keys) else ""
    return next((entry.object for entry in item.row.state if entry.key == key), "")
