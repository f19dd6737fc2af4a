"""Figures for one line about each of the rows in view, and one figure of many for those that are sorted by it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from stepdbg.protocol import messages as m
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.handler import Handler
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.inspect.objects import ModelTree
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import why_unreadable

TOGETHER = 2_000
"""The most parameters whose figures are added up for the modules of one answer."""


class Summaries(Handler):
    """Answers `Summarise`."""

    answers = (m.Summarise,)

    def __init__(self, registry: Registry, copies: BeforeCopies, figures: Figures, tree: ModelTree) -> None:
        self._registry = registry
        self._copies = copies
        self._figures = figures
        self._tree = tree
        self._room = 0
        """How many parameters' figures may still be added up for this answer."""
        tree.figures = self.many

    def answer(self, query: m.Summarise) -> m.Summaries:
        """A line for each object that is there; of a module what was done to anything in it, and its figures."""
        self._room = TOGETHER
        rows = (self._summary(name) or self._module(name) for name in query.objects)
        return m.Summaries(tuple(row for row in rows if row is not None))

    def _module(self, name: str) -> m.Summary | None:
        """What was done to anything in a module, with the norms of all its parameters and of all their gradients."""
        found = self._tree.within(name)
        names = self._tree.parameters_within(name) if found is not None else []
        self._room -= len(names)
        if found is None or not names or self._room < 0:
            return found
        norm, grad = (_together(self.many(names, order)) for order in ("norm", "grad"))
        finite = all(size is None or math.isfinite(size) for size in (norm, grad))
        return msgspec.structs.replace(found, norm=norm, grad_norm=grad, finite=finite)

    def _summary(self, name: str) -> m.Summary | None:
        entry = self._registry.alive.get(name)
        if entry is None or entry.tensor is None:
            return None
        marks = self._tree.marks().get(name)
        size = self._figures.norm(name, entry.tensor)
        if size is None:
            return m.Summary(name, marks=marks, unreadable=why_unreadable(entry.tensor))
        found = self._registry.alive.get(f"{name}.grad")
        grad = found.tensor if found is not None else None
        grad_size = self._figures.norm(f"{name}.grad", grad) if grad is not None else None
        finite = abs(size) < float("inf") and (grad_size is None or abs(grad_size) < float("inf"))
        return m.Summary(
            name,
            size,
            grad_size,
            self._copies.ratio(name, entry.tensor),
            finite,
            marks=marks,
            value=tensors.single(entry.tensor),
            grad_value=tensors.single(grad) if grad is not None else None,
        )

    def many(self, names: Sequence[str], order: m.Order) -> list[float | None]:
        """A figure of each of these objects, by name."""
        alive = self._registry.alive
        entries = [(name, alive.get(name)) for name in names]
        named = [(name, entry.tensor) for name, entry in entries if entry is not None and entry.tensor is not None]
        if order == "ratio":
            prints = self._figures.prints
            self._copies.ratios((name, tensor, prints(name)) for name, tensor in named)
            found: dict[str, float | None] = {name: self._copies.ratio(name, tensor) for name, tensor in named}
        elif order == "grad":
            hanging = [(name, alive.get(f"{name}.grad")) for name, _ in named]
            grads = [(name, entry.tensor) for name, entry in hanging if entry is not None and entry.tensor is not None]
            norms = self._figures.norms([(f"{name}.grad", grad) for name, grad in grads])
            found = {name: norm for (name, _), norm in zip(grads, norms, strict=True)}
        else:
            found = {name: norm for (name, _), norm in zip(named, self._figures.norms(named), strict=True)}
        return [found.get(name) for name in names]


def _together(norms: Sequence[float | None]) -> float | None:
    """The 2-norm of all that have these norms, together; None where none has one."""
    known = [norm for norm in norms if norm is not None]
    return math.sqrt(sum(norm * norm for norm in known)) if known else None
