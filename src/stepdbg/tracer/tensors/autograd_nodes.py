"""The nodes of a graph, and the leaves that its backward writes to."""

from __future__ import annotations

from typing import Any

import torch


def walked(outputs: Any) -> tuple[list[Any], list[torch.Tensor]]:
    """The nodes of the graph that leads to these outputs, and its leaves, each once.

    Args:
        outputs: Tensors, edges of a graph, or nodes.
    """
    ahead = [node for node in map(node_of, outputs) if node is not None]
    seen = set(ahead)
    nodes: list[Any] = []
    leaves: list[torch.Tensor] = []
    while ahead:
        node = ahead.pop()
        leaf = getattr(node, "variable", None) if node.name().endswith("AccumulateGrad") else None
        if leaf is None:
            nodes.append(node)
        elif leaf.is_leaf:
            leaves.append(leaf)
        for other, _ in node.next_functions:
            if other is not None and other not in seen:
                seen.add(other)
                ahead.append(other)
    return nodes, leaves


def node_of(output: Any) -> Any:
    """The node at which a backward called on this begins; None where it cannot be."""
    if not isinstance(output, torch.Tensor):
        return getattr(output, "node", None) or (output if hasattr(output, "next_functions") else None)
    if output.grad_fn is None and output.requires_grad:
        return torch.autograd.graph.get_gradient_edge(output).node
    return output.grad_fn
