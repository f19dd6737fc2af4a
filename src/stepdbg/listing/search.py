"""Which tensors of a tree a filter finds: an index that is made once for a tree, and narrowed as a filter is typed.

A filter is typed letter by letter, and each is to be answered before the next: of 100,000 tensors each condition is one
pass over what the conditions before have left, and where a filter only says more than the one before, over what that
one has found.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from stepdbg.listing.filters import Filter, is_wild, matcher
from stepdbg.protocol.messages import ObjectRow, Order

TENSORS = ("parameter", "buffer", "variable")
"""The rows that have numbers."""


class Named(Protocol):
    """Names that something was done to."""

    def __contains__(self, name: str) -> bool: ...


class Told(Protocol):
    """What is true of the objects at this stop; asked for only where a filter needs it."""

    def figures(self, names: Sequence[str], order: Order) -> Sequence[float | None]:
        """Of each of these tensors the figure that such an order goes by; None where it has none."""
        ...

    def has_grad(self, name: str) -> bool:
        """Whether a gradient hangs on it."""
        ...

    def marks(self) -> Named:
        """What the phase done did, by name."""
        ...


class Index:
    """The rows of a tree as a filter looks at them."""

    def __init__(self, rows: Sequence[ObjectRow], around: Sequence[int], standing: int) -> None:
        """Of these rows.

        Args:
            rows: All of them, depth first; the list may grow and shrink behind those that stay.
            around: The place of the row that holds each; -1 for none.
            standing: So many rows stay.
        """
        self._rows, self._around, self._standing = rows, around, standing
        self._words = [_words(row) for row in rows[:standing]]
        """In lower case: the names of a tensor, a line each."""
        self._leaves = [place for place in range(standing) if rows[place].node in TENSORS]
        self._modules = [place for place in range(standing) if rows[place].node not in TENSORS]
        self._before: tuple[Filter, list[int]] = (Filter(), self._leaves)
        """What was asked last, and the leaves among those that stay which it has found."""
        self.searched = 0
        """Rows that were looked at for the question before: what narrowing spares."""

    def moved(self) -> None:
        """What follows on the rows that stay is other rows now."""
        del self._words[self._standing :]
        self._words += [_words(row) for row in self._rows[self._standing :]]

    @property
    def leaves(self) -> list[int]:
        """The places of all tensors."""
        return self._leaves + self._fleeting()

    def find(self, wanted: Filter, told: Told) -> list[int]:
        """The places of the tensors that are meant, in their order."""
        before, known = self._before
        among = known if _says_more(wanted, before) else self._leaves
        found = self._narrowed(among, wanted, told)
        if not wanted.moves:
            self._before = (wanted, found)
        fleeting = self._fleeting()
        self.searched = len(among) + len(fleeting)
        return found + self._narrowed(fleeting, wanted, told)

    def _fleeting(self) -> list[int]:
        rows = self._rows
        return [place for place in range(self._standing, len(rows)) if rows[place].node in TENSORS]

    def _narrowed(self, places: list[int], wanted: Filter, told: Told) -> list[int]:
        rows, words = self._rows, self._words
        for pattern in wanted.names:
            if is_wild(pattern):
                match = matcher(pattern)
                places = [place for place in places if match(words[place])]
            else:
                places = [place for place in places if pattern in words[place]]
        for dtype in wanted.dtypes:
            meant = {known for known in {row.dtype for row in rows} if known.startswith(dtype)}
            places = [place for place in places if rows[place].dtype in meant]
        for cls in wanted.classes:
            places = self._in_class(places, cls)
        if wanted.frozen:
            places = [place for place in places if rows[place].node == "parameter" and not rows[place].trainable]
        if wanted.changed:
            marks = told.marks()
            places = [place for place in places if rows[place].name in marks]
        if wanted.no_grad:
            has = told.has_grad
            places = [place for place in places if rows[place].node == "parameter" and not has(rows[place].name)]
        if wanted.nan:
            names = [rows[place].name for place in places]
            both = zip(told.figures(names, "norm"), told.figures(names, "grad"), strict=True)
            places = [place for place, found in zip(places, both, strict=True) if not all(map(_is_finite, found))]
        return places

    def _in_class(self, places: list[int], wanted: str) -> list[int]:
        """Those in modules of a class: by its beginning, or by the whole of one around them."""
        rows, around = self._rows, self._around
        meant, inside = set[int](), set[int]()
        """The modules whose tensors are, and those that are of that very class or lie in one."""
        begin = {cls for cls in {rows[module].cls for module in self._modules} if cls.lower().startswith(wanted)}
        exact = {cls for cls in begin if cls.lower() == wanted}
        for module in self._modules:  # depth first: what is around it comes before it
            cls = rows[module].cls
            if cls in exact or around[module] in inside:
                inside.add(module)
            elif cls in begin:
                meant.add(module)
        meant |= inside
        return [place for place in places if around[place] in meant]


def _says_more(wanted: Filter, before: Filter) -> bool:
    """Whether all that `wanted` finds is among what `before` has found."""
    return (
        all(not is_wild(old) and any(old in new for new in wanted.names if not is_wild(new)) for old in before.names)
        and all(old in wanted.classes for old in before.classes)
        and all(any(new.startswith(old) for new in wanted.dtypes) for old in before.dtypes)
        and not before.moves
    )


def _words(row: ObjectRow) -> str:
    if row.node not in TENSORS:
        return ""
    return "\n".join((row.name, *row.also)).lower() if row.also else row.name.lower()


def _is_finite(figure: float | None) -> bool:
    return figure is None or math.isfinite(figure)
