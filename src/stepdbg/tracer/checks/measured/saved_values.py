"""What the nodes of a loss's graph have saved for backward: the inputs of layers, activations, the loss's own operands.

Read off the nodes without unpacking: what lies behind a hook (checkpointing, offloading) is not looked at.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from stepdbg.tracer.checks.loss_graph import VIEWS, LossGraph, Node, kind
from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.tensors.readable import ORDINARY

READABLE = hasattr(torch._C._autograd.SavedTensor, "unpack_hook")
"""Whether torch tells of hooks: not before 2.7, where nothing is looked at, since it could run a hook."""
LAYERS = {"AddmmBackward": "mat1", "MmBackward": "self", "ConvolutionBackward": "input", "BmmBackward": "self"}
"""Nodes of layers, and what each calls its input."""
_WEIGHTS = {"AddmmBackward": 2, "MmBackward": 1, "ConvolutionBackward": 1}
"""The place of the weight among the operands."""
_INPUTS = {"AddmmBackward": 1, "MmBackward": 0, "ConvolutionBackward": 0}
NORMALISING = frozenset((
    "NativeBatchNormBackward", "CudnnBatchNormBackward", "MiopenBatchNormBackward", "NativeLayerNormBackward",
    "NativeGroupNormBackward", "FusedRmsNormBackward", "BatchNormImplIndexBackward",
))  # fmt: skip
"""Nodes behind which the scale of an input is gone."""
_SEEN = 1 << 22
"""Elements of a saved tensor up to which it is looked at."""


def saved(node: Node, label: str) -> torch.Tensor | None:
    """What a node has saved under that name; None where it has nothing, or it is not to be looked at."""
    if not READABLE:
        return None
    raw: Any = getattr(node, f"_raw_saved_{label}", None)
    if raw is None or raw.unpack_hook is not None:
        return None
    data = raw.data
    if data is None or type(data) not in ORDINARY or data.layout is not torch.strided or data.is_meta:
        return None
    return data.detach() if 0 < data.numel() <= _SEEN else None


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer of a graph: a linear one or a convolution."""

    node: Node
    weight: torch.Tensor
    """The parameter."""
    source: Node | None
    """The node that made its input, with those between that only hand on left out; None where it is data."""

    @property
    def input(self) -> torch.Tensor | None:
        """What it was given, where that was saved."""
        return saved(self.node, LAYERS[kind(self.node)])


def layers(graph: LossGraph) -> Iterator[Layer]:
    """The layers of a graph, nearest the loss first."""
    for node in graph.of_kind(*_WEIGHTS):
        operands = [one for one, _ in node.next_functions]
        weight = _behind(operands[_WEIGHTS[kind(node)]])
        if weight is None or type(weight).__name__ != "AccumulateGrad":
            continue
        yield Layer(node, weight.variable, _behind(operands[_INPUTS[kind(node)]]))


def input_sizes(moment: Moment, graph: LossGraph) -> Iterator[tuple[str, float]]:
    """The weights of the layers with the root mean square of what each was given, from the data on."""
    for layer in reversed([*layers(graph)]):
        name, given = moment.name_of.get(id(layer.weight)), layer.input
        if name is not None and given is not None and given.is_floating_point():
            yield name, float(torch.linalg.vector_norm(given, dtype=torch.float64)) / math.sqrt(given.numel())


def consumers(graph: LossGraph) -> dict[Node, list[Node]]:
    """The nodes that take what each node has made, with those between that only hand on left out."""
    found: dict[Node, list[Node]] = {}
    for node in graph.nodes:
        if type(node).__name__ in VIEWS:
            continue
        for one, _ in node.next_functions:
            if (other := _behind(one)) is not None:
                found.setdefault(other, []).append(node)
    return found


def _behind(node: Node | None) -> Node | None:
    """The node that made what this one hands on."""
    while node is not None and type(node).__name__ in VIEWS:
        node = next((other for other, _ in node.next_functions if other is not None), None)
    return node
