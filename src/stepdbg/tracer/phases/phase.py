"""A phase of training, from its beginning to its end."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any

from msgspec import Struct

from stepdbg.protocol.messages import Effect, Effects


class Phase(Struct, eq=False):
    """A phase that runs or has run. (A msgspec struct, since one is made at each boundary of a free run.)"""

    name: str
    began_ns: int
    update: int
    outer: Phase | None
    """The open call that it is part of."""
    in_order: bool = True
    """False for what is no part of the order: evaluation, a loader that had no batch left."""
    epoch: int | None = None
    """The epoch in which it began."""
    ended_ns: int = 0
    """The time at which the call returned (ns, monotonic); 0 while it runs."""
    effects: Effects | None = None
    own: list[Effect] | None = None
    """What it has done so far before, between and after the phases that lie inside it; None where none does, or nobody
    looks."""
    place: tuple[str, int] | None = None
    """File and line where it was called; known only while somebody looks."""
    skipped: bool = False
    over: int | None = None
    """The epoch that is over with the phase, as in `Boundary.over`; None for none."""
    owner: Any = None
    """A weak reference to the model or optimizer whose call it is; known only while somebody looks."""
    loss: str | None = None
    """What the loss that a backward starts from is called; empty where it is a derivative of something else."""
    key: Hashable = None
    """The optimizer whose phase it is, as `advance` was told."""
    on: Any = None
    """A weak reference to what a backward was called on; of those noted in a free run, only of the newest."""
    nodes: int = 0
    """The number of graph nodes that the thread of a step had made before it; 0 where it was noted in a free run."""
    doubt: Callable[[], bool] | None = None
    """Asked when the next phase begins, where it was only assumed that this one runs: False if nothing happened in
    it."""

    @property
    def inside(self) -> tuple[str, ...]:
        """The names of the enclosing calls, outermost first."""
        names: list[str] = []
        outer = self.outer
        while outer is not None:
            names.insert(0, outer.name)
            outer = outer.outer
        return tuple(names)

    def ms(self, now_ns: int) -> float:
        """Duration of the call, or until now where it was none."""
        return ((self.ended_ns or now_ns) - self.began_ns) / 1e6
