"""Which rows of the tree of objects a question asks for: filtered, in order, folded, and of them those in the window.

Whoever answers `ListObjects` hands over all rows once; they stay until the set of objects changes. No torch here, so
that the fake debuggee lists by the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from stepdbg.protocol.filters import Filter, understood
from stepdbg.protocol.messages import Effect, ListObjects, ObjectRow, Objects, Order, Summary

TENSORS = ("parameter", "buffer", "variable")
"""The rows that have numbers."""
WHOLE = 500
"""So many rows travel whole, whatever the window: scrolling needs no question then."""
_OPEN = 300
"""Up to so many rows everything is open at first; in larger trees only the models are."""


class Marks(NamedTuple):
    """What the phase done did to a row's value, its gradient and its optimizer state."""

    value: str = ""
    grad: str = ""
    state: str = ""


class Marked:
    """The marks of some effects, by the name of the row's object; worked out where they are asked for."""

    def __init__(self, effects: Sequence[Effect] = ()) -> None:
        self._done = {effect.object: effect.what for effect in effects}
        self._states = {
            name[name.index("[") + 1 : name.rindex("]")]: effect.what
            for effect in effects
            if effect.kind == "state" and "[" in (name := effect.object)
        }

    def get(self, name: str) -> Marks:
        """Of one object; empty where nothing was done to it."""
        done = self._done
        return Marks(done.get(name, ""), done.get(f"{name}.grad", ""), self._states.get(name, ""))

    def __contains__(self, name: str) -> bool:
        """Whether anything was done to it."""
        return name in self._done or f"{name}.grad" in self._done or name in self._states


class Facts(Protocol):
    """What is true of the objects at this stop; asked for only where a filter or an order needs it."""

    def summary(self, name: str) -> Summary | None:
        """The figures of a tensor."""
        ...

    def has_grad(self, name: str) -> bool:
        """Whether a gradient hangs on it."""
        ...

    def marks(self) -> Marked:
        """What the phase done did, by name."""
        ...


class Tree:
    """All rows, depth first, and what was made of them for the question before.

    The models' rows stay as long as the models do; what comes and goes with each phase follows on them.
    """

    def __init__(self, rows: Sequence[ObjectRow] = ()) -> None:
        self.rows = list(rows)
        self._standing = len(self.rows)
        """So many rows stay."""
        self._ends, self._around = _nested(self.rows)
        """Where the subtree of each row ends, and the row that holds it; -1 for none."""
        self._arranged: tuple[object, list[int]] = (None, [])
        self._index: dict[str, int] | None = None
        self._parameters = [index for index, row in enumerate(self.rows) if row.node == "parameter"]

    def follow_with(self, rows: Sequence[ObjectRow]) -> None:
        """Put these after those that stay, in place of what followed before."""
        del self.rows[self._standing :], self._ends[self._standing :], self._around[self._standing :]
        ends, around = _nested(rows)
        self.rows += rows
        self._ends += [end + self._standing for end in ends]
        self._around += [place + self._standing if place >= 0 else -1 for place in around]
        self._arranged, self._index = (None, []), None

    def within(self, name: str, marked: Marked) -> Marks | None:
        """What was done to anything in that module, of each sort the first; None where there is no such module."""
        place = self._places.get(name)
        if place is None or self.rows[place].node in TENSORS:
            return None
        found = Marks()
        for row in self.rows[place + 1 : self._ends[place]]:
            if row.name in marked:
                found = Marks(*(old or new for old, new in zip(found, marked.get(row.name), strict=True)))
                if all(found):
                    break
        return found

    @property
    def _places(self) -> dict[str, int]:
        """Of the rows, by name."""
        if self._index is None:
            self._index = {row.name: place for place, row in enumerate(self.rows)}
        return self._index

    def answer(self, query: ListObjects, registry: int, moment: object, facts: Facts) -> Objects:
        """The rows asked for.

        Args:
            query: What is asked.
            registry: The number of the registry, for the answer.
            moment: Differs where the facts do.
            facts: Of this moment.

        Raises:
            FilterError: the filter is none.
        """
        wanted = understood(query.filter)
        moves = wanted.moves or query.order not in ("tree", "name", "size")
        arrangement = (query.filter, query.order, query.base, query.toggled, moment if moves else None)
        if self._arranged[0] != arrangement:
            self._arranged = (arrangement, self._arrange(query, wanted, facts))
        places = self._arranged[1]
        found = self._place(query.around, places) if query.around else -1
        first, count = query.first, query.count
        if count is None or (0 < len(places) <= WHOLE and count):
            first, count = 0, len(places)
        elif found >= 0 and not first <= found < first + count:
            first = found - count // 2
        first = max(0, min(first, len(places) - count))
        flat = query.order != "tree"
        base = self._base(query)
        closed = self._closed(query, base)
        return Objects(
            registry,
            tuple(self._shown(place, flat=flat, closed=closed) for place in places[first : first + count]),
            first,
            len(places),
            found,
            tuple((row.name, row.cls) for row in self.rows if row.node == "model"),
            self.rows[self._parameters[0]].name if self._parameters else "",
            len(self._parameters),
            sum(self.rows[place].node in TENSORS for place in places) if query.filter else 0,
            moves,
            base == "open",
        )

    def _arrange(self, query: ListObjects, wanted: Filter, facts: Facts) -> list[int]:
        if query.filter.strip():
            leaves = self._matching(wanted, facts)
        elif query.order != "tree":
            leaves = [place for place, row in enumerate(self.rows) if row.node in TENSORS]
        else:
            return self._unfolded(self._closed(query, self._base(query)))
        if query.order == "tree":
            return self._with_modules(leaves)
        return self._sorted(leaves, query.order, facts)

    # filters

    def _matching(self, wanted: Filter, facts: Facts) -> list[int]:
        marked = facts.marks() if wanted.changed else Marked()
        found = []
        around: list[str] = []
        of_class = True
        for place, row in enumerate(self.rows):
            if row.node not in TENSORS:  # what a module holds itself follows on it, before the modules in it
                if wanted.classes:
                    del around[row.depth :]
                    around.append(row.cls)
                    of_class = wanted.is_of(row.cls, tuple(around))
                continue
            if (
                of_class
                and (not wanted.names or wanted.names_it(row.name, *row.also))
                and (not wanted.dtypes or all(row.dtype.startswith(dtype) for dtype in wanted.dtypes))
                and (not wanted.frozen or (row.node == "parameter" and not row.trainable))
                and (not wanted.no_grad or (row.node == "parameter" and not facts.has_grad(row.name)))
                and (not wanted.changed or row.name in marked)
                and (not wanted.nan or _is_not_finite(facts.summary(row.name)))
            ):
                found.append(place)
        return found

    def _with_modules(self, leaves: list[int]) -> list[int]:
        """The leaves under the modules that lead to them."""
        found: list[int] = []
        told: set[int] = set()
        for leaf in leaves:
            above = []
            place = self._around[leaf]
            while place >= 0 and place not in told:
                above.append(place)
                place = self._around[place]
            told.update(above)
            found += [*reversed(above), leaf]
        return found

    # order

    def _sorted(self, leaves: list[int], order: Order, facts: Facts) -> list[int]:
        rows = self.rows
        if order == "name":
            return sorted(leaves, key=lambda place: rows[place].name)
        if order == "size":
            return sorted(leaves, key=lambda place: -rows[place].elements)
        keys = {place: _descending(_figure(facts.summary(rows[place].name), order)) for place in leaves}
        return sorted(leaves, key=lambda place: keys[place])

    # folds

    def _base(self, query: ListObjects) -> str:
        if query.base != "auto":
            return query.base
        return "open" if len(self.rows) <= _OPEN else "models"

    def _closed(self, query: ListObjects, base: str) -> Callable[[ObjectRow], bool]:
        """Whether a row that holds others is folded; where something is searched, none is."""
        if query.filter.strip():
            return lambda row: False
        toggled = frozenset(query.toggled)
        if base == "open":
            return lambda row: row.name in toggled
        if base == "closed":
            return lambda row: row.name not in toggled
        return lambda row: (row.depth > 0) != (row.name in toggled)

    def _unfolded(self, closed: Callable[[ObjectRow], bool]) -> list[int]:
        rows, ends = self.rows, self._ends
        found = []
        place = 0
        while place < len(rows):
            found.append(place)
            row = rows[place]
            place = ends[place] if row.node not in TENSORS and closed(row) else place + 1
        return found

    def _place(self, name: str, places: list[int]) -> int:
        """Where that row is, or the nearest one around it; -1 where neither is."""
        wanted = self._places.get(name, -1)
        if wanted < 0:
            return -1
        shown = {place: at for at, place in enumerate(places)}
        while wanted not in shown:
            wanted = self._around[wanted]
            if wanted < 0:
                return -1
        return shown[wanted]

    def _shown(self, place: int, *, flat: bool, closed: Callable[[ObjectRow], bool]) -> ObjectRow:
        row = self.rows[place]
        if row.node in TENSORS:
            return msgspec.structs.replace(row, label=row.name, depth=0) if flat and row.depth else row
        return msgspec.structs.replace(row, folded=closed(row))


def _nested(rows: Sequence[ObjectRow]) -> tuple[list[int], list[int]]:
    ends, around = [len(rows)] * len(rows), [-1] * len(rows)
    above: list[int] = []
    for place, row in enumerate(rows):
        while above and rows[above[-1]].depth >= row.depth:
            ends[above.pop()] = place
        if above:
            around[place] = above[-1]
        above.append(place)
    return ends, around


def _is_not_finite(summary: Summary | None) -> bool:
    return summary is not None and not summary.finite


def _figure(summary: Summary | None, order: Order) -> float | None:
    if summary is None:
        return None
    return {"norm": summary.norm, "grad": summary.grad_norm, "ratio": summary.update_ratio}[order]


def _descending(figure: float | None) -> tuple[int, float]:
    """What is not finite comes first, what has no figure last."""
    if figure is None:
        return 2, 0.0
    return (1, -figure) if math.isfinite(figure) else (0, 0.0)
