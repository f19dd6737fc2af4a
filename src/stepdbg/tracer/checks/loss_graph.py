"""The graph of a loss that backward is about to go through: its nodes in torch's own words, and the leaves it reaches.

Nothing is unpacked and no hook runs: nodes are walked by their edges, and shapes are read from what autograd notes of
each node's output.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from stepdbg.tracer.graph.walk import node_of

Node = Any
MOST_NODES = 20_000
"""Nodes that are walked; of a larger graph the rest is not looked at."""
VIEWS = frozenset(
    f"{name}Backward{number}"
    for name in (
        "View", "UnsafeView", "ReshapeAlias", "Reshape", "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "Expand",
        "Alias", "Clone", "ToCopy", "Slice", "Select", "Flatten", "Unflatten", "Index", "Contiguous",
    )
    for number in range(4)
)  # fmt: skip
"""Nodes that hand their input on, perhaps in another shape or dtype."""


def kind(node: Node) -> str:
    """The class of a node without its number: `MseLossBackward` of `MseLossBackward0`."""
    return type(node).__name__.rstrip("0123456789")


class LossGraph:
    """The graph of one loss.

    Args:
        loss: What backward is called on.
        name: What the user calls it.
    """

    def __init__(self, loss: torch.Tensor, name: str) -> None:
        self.name = name
        self.requires_grad = loss.requires_grad
        self.root: Node | None = node_of(loss)
        self.nodes: list[Node] = []
        """The nodes in the order in which they are met from the loss, breadth first."""
        self.leaves: list[torch.Tensor] = []
        """The tensors that gradients are accumulated in, each once."""
        self.whole = True
        """Whether all of it was walked."""
        self._depth: dict[Node, int] = {}
        if self.root is None:
            self.leaves = [loss] if loss.requires_grad else []
        else:
            self._walk(self.root)

    @property
    def opaque(self) -> bool:
        """Whether some of it is hidden in compiled code or in functions of the script's own."""
        return any(
            isinstance(one, torch._C._FunctionBase) or kind(one) == "CompiledFunctionBackward" for one in self.nodes
        )

    def before(self, node: Node) -> list[Node]:
        """The nodes that made the inputs of a node, with those between that only hand on left out."""
        found = []
        for one, _ in node.next_functions:
            while one is not None and type(one).__name__ in VIEWS:
                one = next((other for other, _ in one.next_functions if other is not None), None)
            if one is not None:
                found.append(one)
        return found

    def of_kind(self, *kinds: str) -> Iterator[Node]:
        """The nodes of these kinds, nearest the loss first."""
        return (one for one in self.nodes if kind(one) in kinds)

    def reaches(self, tensor: torch.Tensor) -> bool:
        """Whether a gradient is accumulated in that very tensor."""
        return any(one is tensor for one in self.leaves)

    def _walk(self, root: Node) -> None:
        self._depth[root] = 0
        self.nodes.append(root)
        seen: set[int] = set()
        for node in self.nodes:  # grows as it is gone through
            if type(node).__name__ == "AccumulateGrad":
                if id(node.variable) not in seen:
                    seen.add(id(node.variable))
                    self.leaves.append(node.variable)
                continue
            for other, _ in node.next_functions:
                if other is None or other in self._depth:
                    continue
                if len(self.nodes) >= MOST_NODES:
                    self.whole = False
                    return
                self._depth[other] = self._depth[node] + 1
                self.nodes.append(other)


def output_shape(node: Node, number: int = 0) -> tuple[int, ...] | None:
    """The shape of what a node made (of several results, of that one), as autograd notes it; None where this torch
    does not tell.
    """
    try:
        return tuple(node._input_metadata[number].shape)
    except (AttributeError, IndexError, TypeError, RuntimeError):
        return None
