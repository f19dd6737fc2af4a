"""A look at one tensor: its figures, a window of its numbers, what it was before, and the next element of a kind."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch

from stepdbg.errors import SliceError
from stepdbg.protocol import messages as m
from stepdbg.tracer.effects import differences
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors import search
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import Unreadable, dtype_name, elements_of, shape_of


class Tensors(Handler):
    """Answers what is asked of one tensor, or of several of one shape."""

    answers = (m.LookAt, m.LookBeside, m.Find)

    def __init__(self, registry: Registry, copies: BeforeCopies, figures: Figures) -> None:
        self._registry = registry
        self._copies = copies
        self._figures = figures
        self._together: dict[str, str] = {}
        """The labels of the tensors of an inner boundary, by name; empty at any other."""

    def open(self, at: AtStop) -> None:
        """Training has stopped: what was done within a phase is shown side by side."""
        self._together = {each.object: each.label for each in at.inner.tensors} if at.inner is not None else {}

    def answer(self, query: m.LookAt | m.LookBeside | m.Find) -> m.Result:
        """The figures, numbers or place that are asked for."""
        match query:
            case m.LookAt():
                return look_at(self._registry, self._copies, self._figures, query, self._together)
            case m.LookBeside():
                return beside(self._registry, self._copies, query)
            case m.Find():
                return find_in(self._registry, self._copies, query)


class Seen(NamedTuple):
    """What of a tensor is looked at."""

    value: torch.Tensor | None
    """The tensor in a form that can be cut; None where there are no numbers."""
    less: torch.Tensor | None
    """What is subtracted."""
    side: m.Side
    whole: tuple[int, ...]
    """The shape before anything was cut off."""
    note: str


def look_at(
    registry: Registry, copies: BeforeCopies, figures: Figures, query: m.LookAt, together: Mapping[str, str]
) -> m.TensorView:
    """The answer; what stands `together`, names with labels, are the tensors of an inner boundary.

    Raises:
        Refused: there is no such tensor now.
    """
    entry, tensor = _entry(registry, query.object)
    seen = _seen(tensor, copies, query.object, query.side, query.where)
    value, dtype = seen.value, tensor.dtype
    shape = seen.whole if value is None else tuple(value.shape)
    parts = tuple(
        _part(registry, copies, figures, query, label, name, seen.whole, shape)
        for label, name in _family(registry, query.object, entry, together)
    )
    statistics = next((part.statistics for part in parts if part.object == query.object), None)
    if query.statistics and value is not None and (seen.side != "now" or query.where):
        what = f"statistics {seen.side} {query.where}"
        statistics = figures.remembered(what, query.object, tensor, lambda: _statistics(value, seen.less))
    return m.TensorView(
        object=query.object,
        kind=entry.kind,
        shape=shape,
        dtype=dtype_name(dtype),
        device=str(tensor.device),
        bytes=_bytes(tensor),
        requires_grad=tensor.requires_grad,
        version=_version(tensor),
        grad_fn=type(tensor.grad_fn).__name__ if tensor.grad_fn is not None else "",
        parts=parts,
        statistics=statistics,
        histogram=_histogram(figures, query, tensor, seen) if query.bins else None,
        window=None
        if value is None or not query.rows
        else tensors.window(value, query.row, query.rows, query.column, query.columns, seen.less),
        note=seen.note,
        side=seen.side,
        where=query.where,
        whole=seen.whole if query.where else (),
    )


def _version(tensor: torch.Tensor) -> int:
    """The version counter; -1 where there is none."""
    try:
        return -1 if tensor.is_inference() else tensor._version
    except Exception:  # whatever a class of the user's answers
        return -1


def _bytes(tensor: torch.Tensor) -> int:
    """Bytes of all the elements that this process holds."""
    try:
        here, _ = tensors.local(tensor)
        return here.numel() * here.element_size()
    except Unreadable:
        return elements_of(tensor) * tensor.dtype.itemsize


def _own_shape(tensor: torch.Tensor) -> tuple[int, ...]:
    """The shape of what this process holds."""
    try:
        return shape_of(tensors.local(tensor)[0])
    except Unreadable:
        return shape_of(tensor)


def beside(registry: Registry, copies: BeforeCopies, query: m.LookBeside) -> m.Beside:
    """The same elements of several tensors.

    Raises:
        Refused: the slice does not fit.
    """
    windows: list[m.Window | None] = []
    shape: torch.Size | None = None
    for name, side in query.parts:
        entry = registry.alive.get(name)
        seen = None if entry is None or entry.tensor is None else _seen(entry.tensor, copies, name, side, query.where)
        if seen is None or seen.value is None or seen.side != side or (shape or seen.value.shape) != seen.value.shape:
            windows.append(None)
            continue
        shape = seen.value.shape
        windows.append(tensors.window(seen.value, query.row, query.rows, query.column, 1, seen.less))
    return m.Beside(query.parts, tuple(windows))


def find_in(registry: Registry, copies: BeforeCopies, query: m.Find) -> m.Found:
    """The next element of a kind.

    Raises:
        Refused: there is no such tensor now, or it has no numbers.
    """
    _, tensor = _entry(registry, query.object)
    seen = _seen(tensor, copies, query.object, query.side, query.where)
    if seen.value is None:
        raise Refused(f"{query.object}: {seen.note}")
    return search.find(seen.value, seen.less, query.condition, query.start, backwards=query.backwards)


def _entry(registry: Registry, name: str) -> tuple[Alive, torch.Tensor]:
    entry = registry.alive.get(name)
    if entry is None:
        raise Refused(f"{name} is not there at this stop{_why_gone(name)}")
    if entry.tensor is None:
        raise Refused(f"{name} is no tensor but {entry.value!r}")
    return entry, entry.tensor


def _why_gone(name: str) -> str:
    if name.endswith(".grad"):
        return ": the gradient is None until the next backward writes it"
    if ".state[" in name:
        return ": the optimizer creates its state at its first step"
    return ""


def _seen(tensor: torch.Tensor, copies: BeforeCopies, name: str, side: m.Side, where: str) -> Seen:
    value, note = tensors.readable(tensor)
    if value is None:
        return Seen(None, None, "now", shape_of(tensor), note)
    whole = tuple(value.shape)
    copy = copies.old(name) if side != "now" else None
    less = copy.tensor if copy is not None and side == "change" else None
    if copy is not None and side == "before":
        value = copy.tensor
    try:
        value, less = tensors.sliced(value, where), None if less is None else tensors.sliced(less, where)
    except SliceError as error:
        raise Refused(f"{where}: {error}") from error
    return Seen(value, less, side if copy is not None else "now", whole, note)


def _statistics(value: torch.Tensor, less: torch.Tensor | None) -> m.Statistics | None:
    return tensors.statistics(value) if less is None else differences.moved(value, less).statistics


def _histogram(figures: Figures, query: m.LookAt, tensor: torch.Tensor, seen: Seen) -> m.Histogram | None:
    """The histogram of what is looked at; that of the whole tensor as it is now is worked out once."""
    if seen.value is None:
        return None
    if seen.less is not None:
        return differences.histogram(seen.value, seen.less, query.bins)
    if seen.side == "before" or query.where:
        return tensors.histogram(seen.value, query.bins)
    return figures.histogram(query.object, tensor, query.bins)


def _part(
    registry: Registry,
    copies: BeforeCopies,
    figures: Figures,
    query: m.LookAt,
    label: str,
    name: str,
    whole: tuple[int, ...],
    shape: tuple[int, ...],
) -> m.TensorPart:
    tensor = registry.alive[name].tensor
    if tensor is None:
        return m.TensorPart(label, name)
    own = _own_shape(tensor)
    if not query.statistics:
        return m.TensorPart(label, name, None, shape if own == whole else own)
    found, change = figures.statistics(name, tensor), copies.change(name, tensor)
    return m.TensorPart(label, name, found, shape if own == whole else own, change)


def _family(registry: Registry, name: str, entry: Alive, together: Mapping[str, str]) -> list[tuple[str, str]]:
    """The value, its gradient and its optimizer state, from any one of them."""
    if entry.kind == "variable" and name in together:
        return [(label, other) for other, label in together.items() if other in registry.alive]
    base = name
    if entry.kind == "grad":
        base = entry.owner
    elif entry.kind == "state":
        base = name[name.index("[") + 1 : name.rindex("]")]
    if base not in registry.alive:
        return [("value", name)]
    parts = [("value", base)]
    if f"{base}.grad" in registry.alive:
        parts.append(("grad", f"{base}.grad"))
    for other, state in registry.alive.items():
        if state.kind == "state" and state.tensor is not None and f".state[{base}]." in other:
            parts.append((other.rsplit(".", 1)[-1], other))
    return parts
