"""Between which parameters a gradient went bad, read off the graph that a backward has gone through.

What its nodes had saved is freed by then; which node leads to which is still there. A node that leads to a parameter
whose gradient is finite was given a finite gradient. So what lies between such nodes and the first one whose parameters
have bad gradients holds the producer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.nonfinite.elements import bad_elements
from stepdbg.tracer.nonfinite.producers.graph_producer import HARMLESS
from stepdbg.tracer.nonfinite.producers.node_names import node_name
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.tensors.autograd_nodes import walked

_FEW = 4
"""The most nodes that are named."""


def region_of(loss: torch.Tensor | None, name_of: Callable[[torch.Tensor], str]) -> Producer | str:
    """The node that has made a gradient bad, if only one can have; else between what it was.

    Args:
        loss: What backward was called on.
        name_of: What a parameter is called.
    """
    if loss is None or loss.grad_fn is None:
        return "the graph of the loss is gone"
    nodes = sorted(walked([loss])[0], key=lambda node: -node._sequence_nr())
    above: dict[Any, list[Any]] = {}
    for node in nodes:
        for other, _ in node.next_functions:
            above.setdefault(other, []).append(node)
    leaves = {node: [leaf for leaf in map(_leaf, node.next_functions) if leaf is not None] for node in nodes}
    fine = {node for node in nodes if any(_state(leaf) == "fine" for leaf in leaves[node])}
    first = next((node for node in nodes if any(_state(leaf) == "bad" for leaf in leaves[node])), None)
    if first is None:
        return "no gradient of its graph is bad: it was written by something else"
    between, ahead, ends = [first], [first], list[Any]()
    for node in ahead:
        for other in above.get(node, ()):
            if other in fine:
                ends.append(other)
            elif other not in between:
                between.append(other)
                ahead.append(other)
    behind = name_of(next(leaf for leaf in leaves[first] if _state(leaf) == "bad"))
    before = next((name_of(leaf) for node in ends for leaf in leaves[node]), "")
    where = f"the gradient of {before} is finite, that of {behind} is not" if before else f"from the loss to {behind}"
    able = [node for node in between if node_name(node) not in HARMLESS]
    if len(able) == 1:
        return Producer(able[0].name(), where, certain=False)
    names = ", ".join(dict.fromkeys(node.name() for node in reversed(able[:_FEW])))
    return f"{where}; {names} {'and others lie' if len(able) > _FEW else 'lie'} there"


def _leaf(edge: tuple[Any, int]) -> torch.Tensor | None:
    return getattr(edge[0], "variable", None) if edge[0] is not None else None


def _state(leaf: torch.Tensor) -> str:
    """Whether a parameter's gradient is `fine` or `bad`; empty where it has none."""
    grad = gradient(leaf)
    if grad is None:
        return ""
    return "fine" if bad_elements(grad, infinite=True) is None else "bad"
