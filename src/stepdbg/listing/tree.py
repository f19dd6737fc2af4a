"""Which rows of the tree of objects a question asks for: filtered, in order, folded, and of them those in the window.

Whoever answers `ListObjects` hands over all rows once; they stay until the set of objects changes. No torch here, so
that the fake debuggee lists by the same rules.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

import msgspec

from stepdbg.listing.filters import Filter, understood
from stepdbg.listing.search import TENSORS, Index, Told
from stepdbg.protocol.messages import Effect, Identity, ListObjects, ObjectRow, Objects, Order, Summary

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


def marked(known: Identity, marks: Marked) -> Identity:
    """The identity of a tensor, with what the phase done did to each object in it."""
    return msgspec.structs.replace(known, marks=marks.get(known.object))


class Facts(Told, Protocol):
    """What is true of the objects at this stop; asked for only where a filter or an order needs it."""

    def marks(self) -> Marked:
        """What the phase done did, by name."""
        ...


class _Arranged(NamedTuple):
    """What a question comes to, whatever its window."""

    question: object
    places: list[int]
    """Of the rows, in the order in which they are shown."""
    matches: int
    """So many of them are tensors that a filter has found."""
    at: dict[int, int]
    """Where each row is among them, filled where they are not in the order of the tree and somebody asks."""


_NOTHING = _Arranged(None, [], 0, {})


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
        self._arranged = _NOTHING
        self._places = {row.name: place for place, row in enumerate(self.rows)}
        """Of the rows, by name."""
        self.index = Index(self.rows, self._around, self._standing)
        parameters = [row.name for row in self.rows if row.node == "parameter"]
        self._leading, self._parameters = (parameters[0] if parameters else ""), len(parameters)
        self._models = tuple((row.name, row.cls) for row in self.rows if row.node == "model")

    def follow_with(self, rows: Sequence[ObjectRow]) -> None:
        """Put these after those that stay, in place of what followed before."""
        for row in self.rows[self._standing :]:
            self._places.pop(row.name, None)
        del self.rows[self._standing :], self._ends[self._standing :], self._around[self._standing :]
        ends, around = _nested(rows)
        self.rows += rows
        self._ends += [end + self._standing for end in ends]
        self._around += [place + self._standing if place >= 0 else -1 for place in around]
        for place, row in enumerate(rows, self._standing):
            self._places.setdefault(row.name, place)
        self._arranged = _NOTHING
        self.index.moved()

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

    def parameters_within(self, name: str) -> list[str]:
        """The names of the parameters in that module; none where there is no such module."""
        place = self._places.get(name)
        if place is None:
            return []
        return [row.name for row in self.rows[place + 1 : self._ends[place]] if row.node == "parameter"]

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
        if self._arranged.question != arrangement:
            self._arranged = _Arranged(arrangement, *self._arrange(query, wanted, facts), {})
        places = self._arranged.places
        found = self._place(query.around, in_order=query.order == "tree") if query.around else -1
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
            self._models,
            self._leading,
            self._parameters,
            self._arranged.matches,
            moves,
            base == "open",
        )

    def _arrange(self, query: ListObjects, wanted: Filter, facts: Facts) -> tuple[list[int], int]:
        """The places of the rows, and how many tensors a filter has found."""
        filtered = bool(query.filter.strip())
        if not filtered and query.order == "tree":
            return self._unfolded(query), 0
        leaves = self.index.find(wanted, facts) if filtered else self.index.leaves
        shown = self._with_modules(leaves) if query.order == "tree" else self._sorted(leaves, query.order, facts)
        return shown, len(leaves) if filtered else 0

    def _with_modules(self, leaves: list[int]) -> list[int]:
        """The leaves under the modules that lead to them."""
        around = self._around
        found: list[int] = []
        last = -1
        for leaf in leaves:
            if (place := around[leaf]) > last:  # else the leaf before is in there too, and has had it shown
                above = []
                while place > last:
                    above.append(place)
                    place = around[place]
                found += reversed(above)
            found.append(leaf)
            last = leaf
        return found

    # order

    def _sorted(self, leaves: list[int], order: Order, facts: Facts) -> list[int]:
        rows = self.rows
        if order == "name":
            return sorted(leaves, key=lambda place: rows[place].name)
        if order == "size":
            return sorted(leaves, key=lambda place: -rows[place].elements)
        figures = facts.figures([rows[place].name for place in leaves], order)
        keys = {place: _descending(figure) for place, figure in zip(leaves, figures, strict=True)}
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

    def _unfolded(self, query: ListObjects) -> list[int]:
        rows, ends = self.rows, self._ends
        base = self._base(query)
        if base == "open" and not query.toggled:
            return list(range(len(rows)))
        closed = self._closed(query, base)
        found = []
        place = 0
        while place < len(rows):
            found.append(place)
            row = rows[place]
            place = ends[place] if row.node not in TENSORS and closed(row) else place + 1
        return found

    def _place(self, name: str, *, in_order: bool) -> int:
        """Where that row is among those arranged, or the nearest one around it; -1 where neither is."""
        _, places, _, at = self._arranged
        if not in_order and not at:
            at.update({place: index for index, place in enumerate(places)})
        wanted = self._places.get(name, -1)
        while wanted >= 0:
            found = bisect_left(places, wanted) if in_order else at.get(wanted, len(places))
            if found < len(places) and places[found] == wanted:
                return found
            wanted = self._around[wanted]
        return -1

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


def figure_of(summary: Summary | None, order: Order) -> float | None:
    """What an order goes by."""
    if summary is None:
        return None
    return {"norm": summary.norm, "grad": summary.grad_norm, "ratio": summary.update_ratio}[order]


def _descending(figure: float | None) -> tuple[int, float]:
    """What is not finite comes first, what has no figure last."""
    if figure is None:
        return 2, 0.0
    return (1, -figure) if math.isfinite(figure) else (0, 0.0)
