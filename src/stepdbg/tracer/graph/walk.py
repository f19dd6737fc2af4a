"""The nodes that backward would visit, walked a bit at a time, and laid out as the rows of a tree.

torch makes a Python object for a node when it is asked for, and forgets it when nobody holds it: so the walk holds the
nodes, by which they can be told apart, until training goes on.

A graph may be a chain of 100,000 nodes: a tree that indents at each of them could not be read. So a node's line goes
straight on with what reaches furthest back, at the same depth; what a node leads to besides hangs below it. Leaves are
shown at once, longer branches where they are opened. A node is shown once: other ways to it are `joins`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Any, Literal, NamedTuple

import torch

from stepdbg.protocol.messages import GRAPH_BRANCH
from stepdbg.tracer.graph.saved_tensors import Kinds

Node = Any
"""`torch.autograd.graph.Node`, which C++ classes are none of by inheritance."""
_CHUNK = 256
"""Nodes, or rows, between two looks at the clock."""
_FAR = 1 << 64
"""Later than any sequence number."""
_THROUGH = 6
"""The number of nodes that save nothing that may lie between a leaf and the row of the node that leads to it."""


def node_of(tensor: torch.Tensor) -> Node | None:
    """The node that made it; None for a leaf, and for a wrapper of functorch's whose transformation is over."""
    try:
        return tensor.grad_fn
    except RuntimeError:
        return None


class Row(NamedTuple):
    """A row of the tree, by the number of its node in the walk."""

    kind: Literal["node", "leaf", "branch", "joins"]
    node: int
    depth: int
    last: bool = False
    opened: bool = False


class Walk:
    """Nodes by the order in which they were met, and what is known of each."""

    def __init__(self, kinds: Kinds) -> None:
        self.nodes: list[Node] = []
        self.next: list[tuple[int, ...]] = []
        """The nodes that each leads to."""
        self.numbers: list[int] = []
        """torch's sequence numbers: the higher, the sooner backward comes by."""
        self.oldest: list[int] = []
        """The smallest sequence number that can be reached from it; of leaves alone none."""
        self.straight: list[int] = []
        """The node at which the line goes on, by place; -1 where it ends."""
        self.leaf: list[int] = []
        """The leaf that it leads to and nothing else; -1 where there is more to it."""
        self._index: dict[Node, int] = {}
        self._done: list[bool] = []
        self._kinds = kinds

    def from_root(self, root: Node) -> Iterator[None]:
        """Walk everything that can be reached from it and is not known yet; yields now and then."""
        path = [self._met(root)]
        if self._done[path[0]]:
            return
        self._expand(path[0])
        places = [0]
        steps = 0
        while path:
            node, place = path[-1], places[-1]
            below = self.next[node]
            if place < len(below):
                places[-1] = place + 1
                if not self._done[below[place]]:
                    path.append(below[place])
                    places.append(0)
                    self._expand(below[place])
            else:
                self._finish(node)
                path.pop()
                places.pop()
            steps += 1
            if steps % _CHUNK == 0:
                yield

    def index_of(self, node: Node) -> int:
        """The number of the node in the walk; -1 where it was not met."""
        return self._index.get(node, -1)

    def is_leaf(self, node: int) -> bool:
        """Whether a gradient is accumulated there."""
        return self.leaf[node] == node

    def leaves(self, count: int) -> Iterator[int]:
        """The leaves among the first so many nodes, by their place."""
        return (node for node in range(count) if self.leaf[node] == node)

    def through(self, node: int) -> Iterator[int]:
        """The nodes from that one to the leaf that it leads to, without the leaf."""
        while not self.is_leaf(node):
            yield node
            node = self.next[node][0]

    def _met(self, node: Node) -> int:
        number = self._index.get(node)
        if number is None:
            number = self._index[node] = len(self.nodes)
            self.nodes.append(node)
            self.next.append(())
            self.numbers.append(0)
            self.oldest.append(_FAR)
            self.straight.append(-1)
            self.leaf.append(-1)
            self._done.append(False)
        return number

    def _expand(self, number: int) -> None:
        node = self.nodes[number]
        self.numbers[number] = node._sequence_nr()
        below = [self._met(other) for other, _ in node.next_functions if other is not None]
        self.next[number] = tuple(dict.fromkeys(below))

    def _finish(self, number: int) -> None:
        """Everything below it is known."""
        self._done[number] = True
        below = self.next[number]
        if not below and type(self.nodes[number]).__name__ == "AccumulateGrad":
            self.leaf[number] = number
            return
        self.oldest[number] = min([self.numbers[number], *(self.oldest[other] for other in below)])
        if len(below) == 1 and self.leaf[below[0]] >= 0 and self._kinds.save_nothing(self.nodes[number]):
            near = sum(1 for _ in self.through(below[0])) < _THROUGH
            if near:
                self.leaf[number] = self.leaf[below[0]]
                return
        further = [other for other in below if self.leaf[other] < 0]
        if further:
            self.straight[number] = min(further, key=lambda other: (self.oldest[other], self.numbers[other]))


class Tree:
    """The rows that show what can be reached from a root."""

    def __init__(self, walk: Walk, root: int, count: int, opened: Collection[int]) -> None:
        """Lay it out for a walk that is complete, as far as `advance` is called.

        Args:
            walk: The nodes.
            root: Where it begins.
            count: So many nodes, the first ones, belong to it.
            opened: The branches that are open, by their first nodes' places in backward's order.
        """
        self.rows: list[Row] = []
        self.place: dict[int, int] = {}
        """The row of each node that is shown; -1 while it is not laid out yet."""
        self._walk, self._root, self._count, self._opened = walk, root, count, frozenset(opened)
        self.order: dict[int, int] = {}
        """The place of each node in the order in which backward goes, from 1."""

    def laid_out(self) -> Iterator[None]:
        """Lay it out; yields now and then."""
        walk = self._walk
        shown = [node for node in range(self._count) if walk.leaf[node] < 0]
        shown.sort(key=lambda node: -walk.numbers[node])
        self.order = {node: place for place, node in enumerate(shown, 1)}
        yield
        yield from self._line(self._root, 0)

    def _line(self, node: int, depth: int) -> Iterator[None]:
        """A node and all that its line goes on with, with what hangs below each."""
        walk, rows, place = self._walk, self.rows, self.place
        line = []
        while node >= 0 and node not in place:
            place[node] = -1
            line.append(node)
            node = walk.straight[node]
        for at, one in enumerate(line):
            place[one] = len(rows)
            rows.append(Row("node", one, depth))
            below = [other for other in walk.next[one] if other != walk.straight[one]]
            below.sort(key=lambda other: walk.leaf[other] < 0)
            ends = at == len(line) - 1 and node < 0
            for number, other in enumerate(below, 1):
                last = ends and number == len(below)
                if walk.leaf[other] >= 0:
                    rows.append(Row("leaf", other, depth, last))
                elif other in place:
                    rows.append(Row("joins", other, depth, last))
                else:
                    opened = self.order.get(other, 0) in self._opened
                    rows.append(Row("branch", other, depth, last, opened))
                    if opened:
                        yield from self._line(other, depth + 1)
            if at % _CHUNK == 0:
                yield
        if node >= 0:
            rows.append(Row("joins", node, depth, True))

    def branch(self, node: int) -> tuple[int, list[int], int]:
        """What is in a branch that is not open: how many nodes, which leaves, and where it joins what is shown (or -1).

        No more than `GRAPH_BRANCH` nodes are counted.
        """
        walk = self._walk
        seen, queue, leaves, joins = {node}, [node], [], -1
        while queue and len(seen) < GRAPH_BRANCH:
            one = queue.pop()
            for other in walk.next[one]:
                if other in self.place:
                    joins = max(joins, other, key=lambda each: walk.numbers[each] if each >= 0 else -1)
                elif walk.leaf[other] >= 0:
                    leaves.append(walk.leaf[other])
                elif other not in seen:
                    seen.add(other)
                    queue.append(other)
        return len(seen), list(dict.fromkeys(leaves)), joins
