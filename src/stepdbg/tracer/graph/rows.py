"""Rows of the tree of a graph, and of what is listed below it, as they are sent: with names, shapes, what is saved."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch

from stepdbg.protocol import messages as m
from stepdbg.tracer.graph.saved_tensors import Kinds, saved_by
from stepdbg.tracer.graph.walk import Node, Row, Tree, Walk, node_of
from stepdbg.tracer.objects.earlier_graphs import Clock, Updates
from stepdbg.tracer.objects.leaves import names_of_parts
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.readable import dtype_name

_FEW = 8
"""Leaves of a branch that are named."""
_NEAR = 64
"""Nodes among which one is looked for that has saved something."""
REENTRANT = "CheckpointFunctionBackward"
_EXPLAINED = {
    " never": "This backward gives them no gradient. Where there are several losses, another one may reach them.",
    " alive": "Found behind your variables, and losses and outputs that stepdbg has seen. What only C++ or an object "
    "further away holds cannot be found.",
}
"""Words for the headings that begin so."""


class Old(NamedTuple):
    """A graph that is alive from an earlier update."""

    name: str
    kind: m.Kind
    node: Node
    update: Updates
    """The oldest that it reaches back to."""
    whole: bool
    """Whether it was all made in that one. (What is made after a loss is counted to the update after it.)"""


class Rows:
    """Makes them for one walk."""

    def __init__(self, walk: Walk, registry: Registry, kinds: Kinds, update_of: Clock) -> None:
        self._walk = walk
        self._registry = registry
        self._kinds = kinds
        self._update_of = update_of
        self._made: dict[Node, str] = {}
        self._by_id: dict[int, str] = {}
        self._by_memory: dict[int, str] = {}
        self._parts: dict[int, str] | None = None
        """Parameters of modules that are in no model, once one is asked for."""

    def named(self, around: list[tuple[str, torch.Tensor]]) -> Iterator[None]:
        """Learn what the tensors are called that nodes have made, or have saved; yields now and then."""
        for number, (name, tensor) in enumerate(around):
            self._by_id.setdefault(id(tensor), name)
            if (pointer := _pointer(tensor)) is not None:
                self._by_memory.setdefault(pointer, name)
            if (node := node_of(tensor)) is not None:
                self._made.setdefault(node, name)
            if number % 256 == 0:
                yield

    def row(self, tree: Tree, row: Row) -> m.GraphRow:
        """A row of the tree."""
        walk = self._walk
        node = walk.nodes[row.node]
        name = type(node).__name__
        if row.kind == "leaf":
            variable = walk.nodes[walk.leaf[row.node]].variable
            through = tuple(type(walk.nodes[one]).__name__ for one in walk.through(row.node))
            return m.GraphRow(
                "leaf",
                name,
                depth=row.depth,
                last=row.last,
                shapes=(tuple(variable.shape),),
                dtype=dtype_name(variable.dtype),
                object=self.name_of(variable),
                through=through,
            )
        place = tree.order[row.node]
        update = self._update_of(walk.numbers[row.node])
        if row.kind == "joins":
            refers = tree.place[row.node]
            return m.GraphRow("joins", name, place, row.depth, row.last, refers=refers, update=update)
        if row.kind == "branch":
            nodes, leaves, joins = (0, [], -1) if row.opened else tree.branch(row.node)
            names = [self.name_of(walk.nodes[one].variable) for one in leaves[:_FEW]]
            return m.GraphRow(
                "branch",
                name,
                place,
                row.depth,
                row.last,
                nodes=nodes,
                leaves=tuple(one for one in names if one),
                opened=row.opened,
                refers=tree.place[joins] if joins >= 0 else -1,
                update=update,
                note=f"joins {tree.order[joins]}" if joins >= 0 else "",
            )
        shapes, dtype = _made_by(node)
        return m.GraphRow(
            "node",
            name,
            place,
            row.depth,
            shapes=shapes,
            dtype=dtype,
            object=self._made.get(node, ""),
            saved=tuple(saved_by(node, self._kinds, self.memory_name_of)),
            update=update,
            note=_note(node),
        )

    def row_after(self, entry: str | Old) -> m.GraphRow:
        """A row below it: of a graph, of a parameter, or a heading, which begins with a space."""
        if isinstance(entry, Old):
            first, last = entry.update
            when = f"update {last}" if first == last else f"an update from {first} to {last}"
            since = f"of {when}" if entry.whole else f"reaches back to {when}"
            freed = self.freed(entry.node)
            saved = "" if freed is None else ", what it saved is freed" if freed else ", with what it saved"
            return m.GraphRow(
                "earlier",
                type(entry.node).__name__,
                object=entry.name,
                update=entry.update,
                note=since + saved,
                shapes=_made_by(entry.node)[0],
            )
        if entry.startswith(" "):
            words = next((words for start, words in _EXPLAINED.items() if entry.startswith(start)), "")
            return m.GraphRow("heading", entry.strip(), note=words)
        tensor = self._registry.alive[entry].tensor
        shapes = (tuple(tensor.shape),) if tensor is not None else ()
        return m.GraphRow("unreached", entry, object=entry, shapes=shapes)

    def freed(self, node: Node) -> bool | None:
        """Whether a backward has freed what the nodes from that one on have saved: the nearest that has saved anything
        decides. None where none near has.
        """
        walk = self._walk
        queue = deque([walk.index_of(node)])
        seen = set(queue)
        while queue and len(seen) < _NEAR:
            one = queue.popleft()
            states = {saved.state for saved in saved_by(walk.nodes[one], self._kinds, lambda _: "")}
            if states - {"unwatched", "unknown"}:
                return "freed" in states
            fresh = [other for other in walk.next[one] if other not in seen]
            seen.update(fresh)
            queue.extend(fresh)
        return None

    def name_of(self, tensor: torch.Tensor) -> str:
        """What that very tensor is called."""
        if (name := self._by_id.get(id(tensor))) is None:
            if self._parts is None:
                self._parts = names_of_parts(self._registry.parts, self._registry.scope)
            name = self._parts.get(id(tensor), "")
        return name

    def memory_name_of(self, tensor: torch.Tensor) -> str:
        """The name of a tensor, or of the one that it is a view of."""
        if (name := self.name_of(tensor)) or (pointer := _pointer(tensor)) is None:
            return name
        return self._by_memory.get(pointer, "")


def _made_by(node: Any) -> tuple[tuple[tuple[int, ...], ...], str]:
    """The shapes of what a node has computed, and their dtype."""
    shapes, dtype = [], ""
    for made in list(getattr(node, "_input_metadata", ()))[: m.GRAPH_SHAPES]:
        if not made.is_nested_tensor:
            shapes.append(tuple(int(size) for size in made.shape))
        dtype = dtype or dtype_name(made.dtype)
    return tuple(shapes), dtype


def _note(node: Any) -> str:
    """What is to be known of a node that is none of torch's own."""
    if not isinstance(node, torch._C._FunctionBase):
        return ""
    name = type(node).__name__
    if name == REENTRANT:
        return "a checkpoint: backward runs its forward again, and goes through that graph"
    if name == "CompiledFunctionBackward":
        return "compiled: one node for the whole of it"
    return "a Function written in Python"


def _pointer(tensor: torch.Tensor) -> int | None:
    try:
        return tensor.data_ptr() or None
    except (RuntimeError, NotImplementedError):
        return None
