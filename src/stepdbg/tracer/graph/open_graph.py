"""One graph that is looked at during a stop: its walk, its tree, and the rows of it as they are sent."""

from __future__ import annotations

import time
from collections.abc import Iterator

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.graph.rows import REENTRANT, Old, Rows
from stepdbg.tracer.graph.saved_tensors import Kinds
from stepdbg.tracer.graph.walk import Node, Tree, Walk, node_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects.registry import Registry

_NAMES = 50
"""The number of unreached parameters that are named without being asked for."""
_EARLIER = 100
"""The number of earlier graphs that are listed at most."""


class Look:
    """What is known of one graph; it grows with `work_on`."""

    def __init__(self, root: Node, registry: Registry, around: list[tuple[str, torch.Tensor]], kinds: Kinds) -> None:
        self.root = root
        self._registry = registry
        self._around = around
        self._kinds = kinds
        self._walk = Walk(kinds)
        self._count = 0
        """Nodes that belong to the graph itself; those of earlier ones come after them."""
        self._tree: Tree | None = None
        self._opened: tuple[int, ...] | None = None
        self._work: Iterator[None] = iter(())
        self._known = False
        """Whether everything but the tree is."""
        self._ready = False
        self._steps = 0
        """The steps of the work; each answer takes at least one."""
        self._reached: dict[int, torch.Tensor] = {}
        self._trainable = 0
        """Parameters among them."""
        self._unreached: list[str] = []
        self._loose = 0
        """The number of parameters at its leaves that no listed model and no optimizer holds."""
        self._old: list[Old] = []
        self._listed_after: list[str | Old] = []
        self._update_of = registry.earlier.clock()
        self._rows = Rows(self._walk, registry, kinds, self._update_of)
        self._reentrant = False

    # working

    def work_on(self, opened: tuple[int, ...], until: float) -> None:
        """Walk and lay out, for as long as there is time."""
        if self._opened != opened:
            if self._opened is None:
                self._work = self._all(opened)
            elif self._known:
                self._ready, self._work = False, self._laid_out(opened)
            else:
                self._work = self._rest(self._work, opened)
            self._opened = opened
        while not self._ready:
            self._steps += 1
            if next(self._work, self) is self:
                self._ready = True
            if time.perf_counter() > until:
                return

    def _all(self, opened: tuple[int, ...]) -> Iterator[None]:
        yield from self._rows.named(self._around)
        yield from self._walk.from_root(self.root)
        self._count = len(self._walk.nodes)
        yield from self._reach()
        yield from self._find_old()
        self._known = True
        yield from self._laid_out(opened)

    def _rest(self, before: Iterator[None], opened: tuple[int, ...]) -> Iterator[None]:
        """Something was opened meanwhile."""
        yield from before
        yield from self._laid_out(opened)

    def _laid_out(self, opened: tuple[int, ...]) -> Iterator[None]:
        tree = Tree(self._walk, 0, self._count, opened)
        yield from tree.laid_out()
        self._tree = tree

    def _reach(self) -> Iterator[None]:
        """Which trainable parameters are at its leaves, and which are not."""
        walk = self._walk
        for number, node in enumerate(walk.leaves(self._count)):
            leaf = walk.nodes[node].variable
            self._reached[id(leaf)] = leaf
            if number % 256 == 0:
                yield
        loose = {key for key, leaf in self._reached.items() if is_a(leaf, torch.nn.Parameter)}
        loose -= self._registry.optimized
        for name, entry in self._registry.alive.items():
            tensor = entry.tensor
            if entry.kind != "parameter" or tensor is None or not tensor.requires_grad:
                continue
            loose.discard(id(tensor))
            if id(tensor) in self._reached:
                self._trainable += 1
            else:
                self._unreached.append(name)
        self._loose = len(loose) if self._registry.optimized else 0
        self._reentrant = any(type(node).__name__ == REENTRANT for node in walk.nodes[: self._count])
        yield

    def _find_old(self) -> Iterator[None]:
        """Further graphs of earlier updates, behind losses and outputs that were noted and the variables in sight."""
        walk = self._walk
        found: dict[Node, tuple[str, m.Kind]] = {}
        for name, tensor in self._around:
            if (node := node_of(tensor)) is not None:
                found.setdefault(node, (name, "variable"))
        for tensor, kind, _ in self._registry.earlier.alive():
            if (node := node_of(tensor)) is not None:
                found.setdefault(node, (self._rows.name_of(tensor), kind))
        for node, (name, kind) in found.items():
            yield from walk.from_root(node)
            number = walk.index_of(node)
            if number < self._count:
                continue  # it is part of the graph that is shown
            oldest = self._update_of(walk.oldest[number])
            if oldest is not None:
                whole = self._update_of(walk.numbers[number]) == oldest
                self._old.append(Old(name, kind, node, oldest, whole))
        self._old.sort(key=lambda old: old.update)
        self._listed_after = self._after()

    # answering

    def answer(
        self, query: m.ReadGraph, name: str, tensor: torch.Tensor, why: str, leaf: torch.Tensor | None
    ) -> m.Graph:
        """The rows asked for, as far as they are known.

        Args:
            query: What is asked.
            name: The tensor that the graph is behind.
            tensor: Itself.
            why: Why it is not the graph of the tensor asked for.
            leaf: That one, where it may be at an end of the graph.
        """
        tree = self._tree if self._ready else None
        rows = tree.rows if tree is not None else []
        after = self._listed_after if tree is not None else []
        total = len(rows) + len(after)
        top = max(0, min(query.top, total - 1))
        window = [self._rows.row(tree, row) for row in rows[top : top + query.rows]] if tree is not None else []
        further = after[max(0, top - len(rows)) : max(0, top + query.rows - len(rows))]
        window += [self._rows.row_after(entry) for entry in further]
        current = self._registry.earlier.phases.update
        remarks = []
        if self._reentrant:
            remarks.append(
                "a checkpoint with use_reentrant=True hides its part: parameters used within it count as not reached"
            )
        if self._loose:
            which = f"{self._loose} {'parameter' if self._loose == 1 else 'parameters'} more"
            remarks.append(f"it reaches {which} that no model in sight registers and no optimizer holds")
        return m.Graph(
            asked=query.object,
            object=name,
            why=why,
            grad_fn=type(self.root).__name__,
            shape=tuple(tensor.shape),
            top=top,
            rows=tuple(window),
            total=total,
            nodes=self._count or len(self._walk.nodes),
            walked=self._steps,
            complete=self._ready,
            reached=self._trainable,
            unreached=len(self._unreached),
            unreached_names=tuple(self._unreached[:_NAMES]),
            earlier=sum(1 for old in self._old if old.update[1] < current - 1),
            freed=self._rows.freed(self.root) is True,
            update=self._update_of(self._walk.numbers[0]) if self._walk.nodes else None,
            place=self._place_of(leaf),
            remarks=tuple(remarks),
        )

    def _place_of(self, leaf: torch.Tensor | None) -> int:
        """The first row of a leaf."""
        if leaf is None or not self._ready or self._tree is None or id(leaf) not in self._reached:
            return -1
        walk = self._walk
        wanted = {node for node in walk.leaves(self._count) if walk.nodes[node].variable is leaf}
        places = (p for p, row in enumerate(self._tree.rows) if row.kind == "leaf" and walk.leaf[row.node] in wanted)
        return next(places, -1)

    def _after(self) -> list[str | Old]:
        """What is listed below the tree: headings (which begin with a space), parameters, and graphs."""
        found: list[str | Old] = []
        if self._unreached:
            found += [f" never reached from here: {_plural(len(self._unreached), 'trainable parameter')}"]
            found += self._unreached
        if self._old:
            found += [f" alive from earlier updates: {_plural(len(self._old), 'graph')}", *self._old[:_EARLIER]]
            if len(self._old) > _EARLIER:
                found.append(f" and {len(self._old) - _EARLIER} more")
        return found


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
