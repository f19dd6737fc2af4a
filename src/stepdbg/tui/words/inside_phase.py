"""A stop within a phase: where it is, in words, and the tensors that it is about as a table."""

from __future__ import annotations

import math
from typing import NamedTuple

from stepdbg.protocol.messages import Inner, InnerTensor, Statistics, Stop
from stepdbg.tui.drawing.lines import (
    UNICODE,
    Drawing,
    Frame,
    Glyphs,
    Line,
    Span,
    clipped,
    cropped,
    padded,
    plain,
    right,
    shortened,
    shortened_name,
    wrapped,
)
from stepdbg.tui.drawing.numbers import figure, plural, shape
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import ObjectTarget

COLUMNS = ("mean", "std", "min", "max", "norm")
"""The figures of the table, the most wanted first."""
_WORDS = 4
"""Lines for the sentence above the table."""
_LABEL = 30
"""Cells of a unit's name on the rail."""
_WIDE = 10


def after(inner: Inner) -> str:
    """`after model.fc1`, `before model.fc1`; empty where nothing but a line of the user's has been reached."""
    if inner.unit == "line":
        return ""
    name = plain(inner.name) + (".grad" if inner.unit == "gradient" and inner.tensors else "")
    call = f" (call {inner.nth})" if inner.nth > 1 and inner.unit == "module" else ""
    return f"{'before' if inner.ahead else 'after'} {name}{call}"


def position(stop: Stop) -> str:
    """`inside forward, after model.fc1`; empty at a boundary between phases."""
    inner = stop.inner
    if inner is None:
        return ""
    within = stop.boundary.inside[-1] if stop.boundary.inside else ""
    if inner.unit == "line" and inner.name:
        return f"at {plain(inner.name)}" + (f", inside {plain(within)}" if within else "")
    words = [f"inside {plain(within)}" if within else "at stepdbg.breakpoint()", after(inner)]
    return ", ".join(word for word in words if word)


def label(inner: Inner, glyphs: Glyphs = UNICODE) -> str:
    """What follows on the name of the phase on the rail, shortened from its left."""
    return shortened_name(plain(inner.name) or "breakpoint()", _LABEL, glyphs.ellipsis)


def on_the_rail(inner: Inner, glyphs: Glyphs = UNICODE) -> tuple[str, str]:
    """The two lines that stand below a phase that training waits inside of."""
    of = f" {inner.place} of {inner.total}" if inner.total else ""
    match inner.unit:
        case "module":
            return plain(inner.cls), flow(inner, glyphs)
        case "gradient":
            return f"gradient{of}", _sizes(inner.tensors[:1], glyphs)
        case "parameter":
            return f"parameter{of}", f"moved by {figure(inner.change)}" if inner.change is not None else "written"
        case "operator" | "node":
            return plain(inner.within and f"in {inner.within}"), flow(inner, glyphs)
        case "line":
            return "", ""


def flow(inner: Inner, glyphs: Glyphs = UNICODE) -> str:
    """`64×784 → 64×32`."""
    come = [one for one in inner.tensors if one.statistics is None and _goes_in(one)]
    gone = [one for one in inner.tensors if not _goes_in(one)]
    arrow = f" {glyphs.becomes} "
    return arrow.join(part for part in (_sizes(come, glyphs), _sizes(gone, glyphs)) if part)


def _goes_in(one: InnerTensor) -> bool:
    return one.label.startswith(("input", "arrived"))


def _sizes(tensors: list[InnerTensor] | tuple[InnerTensor, ...], glyphs: Glyphs = UNICODE) -> str:
    sizes = [shape(one.shape, glyphs.times) for one in tensors[:3]]
    return ", ".join(sizes) + (f", {glyphs.ellipsis}" if len(tensors) > 3 else "")


def sentence(stop: Stop, glyphs: Glyphs = UNICODE) -> str:
    """What has been done, in words."""
    inner = stop.inner
    assert inner is not None
    name = plain(inner.name)
    first = inner.tensors[0] if inner.tensors else None
    of = f" ({inner.place} of {inner.total})" if inner.total else ""
    match inner.unit:
        case "line":
            return _line(stop, name)
        case "gradient":
            if inner.how == "gone":
                return f"the gradient of {name}{of} has arrived, and a hook of the script's has freed it"
            verb = "was added to the one that was there" if inner.how == "added" else "has arrived"
            return f"the gradient of {name}{of} {verb}: {_measured(first, glyphs)}"
        case "parameter":
            return _written(inner, name, of)
        case "node":
            back = f", on the way back from the output of {plain(inner.within)}" if inner.within else ""
            return f"{name}{back}: {flow(inner, glyphs)}{_figures(first, 'norm', 'mean')}"
        case "operator":
            within = f" in {plain(inner.within)}" if inner.within else ""
            return f"{name}{within}: {flow(inner, glyphs)}{_figures(first, 'mean', 'std')}"
    again = f", call {inner.nth}" if inner.nth > 1 else ""
    cls = "" if inner.cls == name else f"{plain(inner.cls)} "
    if inner.ahead:
        given = flow(inner, glyphs)
        return f"{cls}{name}{again} is about to be called" + (f" with {given}" if given else "")
    return f"{cls}{name}{again}: {flow(inner, glyphs)}{_figures(first, 'mean', 'std')}"


def _line(stop: Stop, name: str) -> str:
    """What asks for a stop at a line of the user's code."""
    inside = f" inside {plain(' > '.join(stop.boundary.inside))}" if stop.boundary.inside else ""
    if not name:
        return f"stepdbg.breakpoint() was called{inside}"
    frame = next((frame for frame in stop.frames if not frame.library), None)
    function = f", in {plain(frame.function)}()" if frame is not None and frame.function[:1] != "<" else ""
    return f"{plain(stop.detail)}: that line is about to run{function}{inside and f',{inside}'}"


def _written(inner: Inner, name: str, of: str) -> str:
    """A parameter after its step."""
    moved = f", moving it by {figure(inner.change)} (2-norm)" if inner.change is not None else ""
    words = f"{plain(inner.cls)} wrote {name}{of}{moved}"
    if inner.how == "together":
        return f"{words}; it writes all parameters by the same calls (foreach or fused), so all are written already"
    return words if inner.change is not None else f"{words}; it was too large to keep what it was before"


def _measured(one: InnerTensor | None, glyphs: Glyphs) -> str:
    if one is not None and _single(one) and one.statistics is not None:
        return f"value {_the_value(one.statistics)}"
    return "no tensor" if one is None else shape(one.shape, glyphs.times) + _figures(one, "norm", "mean")


def _figures(one: InnerTensor | None, *wanted: str) -> str:
    """`, mean 0.0123, std 0.52, from -1.3 to 2.1`, and what is not finite; of one number `, value 2.303`."""
    found = one.statistics if one is not None else None
    if one is None or found is None:
        return ""
    if _single(one):
        return f", value {_the_value(found)}"
    words = [f"{name} {figure(value)}" for name in wanted if (value := getattr(found, name)) is not None]
    if found.min is not None:
        words.append(f"from {figure(found.min)} to {figure(found.max)}")
    words += [f"{number} {sign}" for number, sign in ((found.nan, "NaN"), (found.inf, "Inf")) if number]
    return "".join(f", {word}" for word in words)


def _single(one: InnerTensor) -> bool:
    """Whether the tensor is one number, which needs no figures beside itself."""
    return math.prod(one.shape) == 1


def _the_value(found: Statistics) -> str:
    """The number of a tensor of one element; NaN where its mean is not known."""
    return "NaN" if found.nan else figure(found.mean)


def draw(snapshot: Snapshot, frame: Frame) -> Drawing:
    """The tensors of the stop; the body has a row for each, `cursor` is one of them, whose figures stand below."""
    stop = snapshot.stop
    inner = stop.inner if stop is not None else None
    if stop is None or inner is None:
        return Drawing()
    within, _, after_it = position(stop).partition(", ")
    title = (Span(within), Span(f", {after_it}" if after_it else ""))
    if not inner.tensors:
        return Drawing(title, (), tuple((Span(f" {line}", "sentence"),) for line in _sentence(stop, frame)))
    columns = _columns(inner, frame.width)
    head: tuple[Line, ...] = (
        (Span(f" {_subject(inner)}", "strong"),),
        (
            Span(" " * columns.name + padded("shape", columns.size), "heading"),
            Span(padded("dtype", columns.kind), "heading"),
            *(Span(right(each, _WIDE), "heading") for each in columns.headings),
        ),
    )
    foot = _foot(inner, frame, columns)
    height = max(1, frame.height - len(head) - len(foot))
    body = tuple(
        _row(one, index == frame.cursor, columns, frame)
        for index, one in enumerate(inner.tensors[frame.top : frame.top + height], frame.top)
    )
    return Drawing(title, tuple(cropped(line, frame.width) for line in head), body, len(inner.tensors), foot)


def _sentence(stop: Stop, frame: Frame) -> list[str]:
    return wrapped(sentence(stop, frame.glyphs), max(10, frame.width - 2), _WORDS, frame.glyphs.ellipsis)


def _subject(inner: Inner) -> str:
    """`Linear model.fc1, call 2`."""
    within = f" in {plain(inner.within)}" if inner.within else ""
    again = f", call {inner.nth}" if inner.nth > 1 and inner.unit == "module" else ""
    of = f", {inner.place} of {inner.total}" if inner.total else ""
    cls = f"{plain(inner.cls)} " if inner.cls not in ("", inner.name) else ""
    return f"{cls}{plain(inner.name)}{within}{again}{of}"


class _Columns(NamedTuple):
    """Widths in cells, and the figures that there is room for."""

    name: int
    size: int
    kind: int
    figures: tuple[str, ...]
    headings: tuple[str, ...]
    """What stands above them."""
    equals: str
    """What stands before a single number, where the column is that of another figure."""


def _columns(inner: Inner, width: int) -> _Columns:
    name = min(max([8, *(len(one.label) for one in inner.tensors)]), max(8, width // 3)) + 2
    size = max([5, *(len(shape(one.shape)) for one in inner.tensors)]) + 2
    kind = max([5, *(len(one.dtype) for one in inner.tensors)]) + 1
    figures = COLUMNS[: max(0, (width - name - size - kind) // _WIDE)]
    singles = {_single(one) for one in inner.tensors if one.statistics is not None}
    headings = figures
    if True in singles and figures:
        headings = (f"{figures[0]}/=val", *figures[1:]) if False in singles else ("value",)
    return _Columns(name, size, kind, figures, headings, "=" if False in singles else "")


def _row(one: InnerTensor, here: bool, columns: _Columns, frame: Frame) -> Line:
    glyphs = frame.glyphs
    target = ObjectTarget(one.object)
    spans = [
        Span(glyphs.cursor if here else " ", "cursor" if frame.focused else "dim"),
        Span(
            padded(plain(one.label), columns.name - 1, glyphs.ellipsis),
            "strong" if here and not frame.focused else "here" if here else "",
            target,
        ),
        Span(padded(shape(one.shape, glyphs.times), columns.size), "", target),
        Span(padded(one.dtype, columns.kind), "dim", target),
    ]
    found = one.statistics
    if found is None:
        known_as = "" if one.object.startswith(f"{one.label} of ") else f" {plain(one.object)}"
        return clipped((*spans, Span(known_as, "dim", target)), frame.width, glyphs.ellipsis)
    role = "error" if found.nan or found.inf else ""
    if _single(one):
        value = f"{columns.equals}{shortened(_the_value(found), _WIDE - 2)}" if columns.figures else ""
        return clipped((*spans, Span(right(value, _WIDE), role, target)), frame.width, glyphs.ellipsis)
    spans += [Span(right(_value(found, each), _WIDE), role, target) for each in columns.figures]
    return clipped(tuple(spans), frame.width, glyphs.ellipsis)


def _foot(inner: Inner, frame: Frame, columns: _Columns) -> tuple[Line, ...]:
    """What is known of the tensor under the cursor that the table has no room for; and what else there is."""
    lines: list[Line] = []
    one = inner.tensors[min(frame.cursor, len(inner.tensors) - 1)]
    found = one.statistics
    if found is not None:
        short = len(COLUMNS) > len(columns.figures)
        words = [f"{each} {_value(found, each)}" for each in COLUMNS] if short else []
        if _single(one):
            words = [] if columns.figures else [f"value {_the_value(found)}"]
        words += [
            f"{number} {sign}"
            for number, sign in ((found.zeros, "zeros"), (found.nan, "NaN"), (found.inf, "Inf"))
            if number
        ]
        lines += [(Span(f" {line}", "dim"),) for line in wrapped("  ".join(words), max(10, frame.width - 2), _WORDS)]
    if inner.left_out:
        lines.append((Span(f" and {plural(inner.left_out, 'more tensor')}", "dim"),))
    return ((), *lines) if lines else ()


def _value(found: Statistics, name: str) -> str:
    return shortened(figure(getattr(found, name)), _WIDE - 1)
