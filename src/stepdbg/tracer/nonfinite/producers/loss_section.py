"""The part of a graph between the loss and what models have returned, kept over its backward with what it has saved.

Backward frees what nodes have saved. Of these few nodes it is held until the gradients are known to be finite; where
they are not, it says which of them has an infinite slope where it stood: a root of 0, a logarithm of 0.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Sequence
from typing import Any

import torch

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.graph.saved_tensors import Kinds
from stepdbg.tracer.nonfinite.elements import index_of, plain
from stepdbg.tracer.nonfinite.producers.node_names import node_name, node_words
from stepdbg.tracer.nonfinite.producers.operands import place

_MOST = 48
"""Nodes that are kept."""
_LARGEST = 1 << 24
"""Bytes of a saved tensor, up to which it is kept."""
Steep = tuple[str, Callable[[torch.Tensor], torch.Tensor], str]
"""What a node has saved, where its slope is infinite by that, and what stands there."""
_STEEP: dict[str, Steep] = {
    "Sqrt": ("result", lambda one: one == 0, "0"),
    "Rsqrt": ("result", torch.isinf, "infinite"),
    "Reciprocal": ("result", torch.isinf, "infinite"),
    "Log": ("self", lambda one: one == 0, "0"),
    "Log2": ("self", lambda one: one == 0, "0"),
    "Log10": ("self", lambda one: one == 0, "0"),
    "Log1P": ("self", lambda one: one == -1, "-1"),
    "Pow": ("self", lambda one: one == 0, "0, to a power below 1"),
    "Div": ("other", lambda one: one == 0, "0"),
    "Acos": ("self", lambda one: one.abs() == 1, "1 or -1"),
    "Asin": ("self", lambda one: one.abs() == 1, "1 or -1"),
    "Atanh": ("self", lambda one: one.abs() == 1, "1 or -1"),
    "Acosh": ("self", lambda one: one == 1, "1"),
}


class LossSection:
    """The nodes of that part.

    Args:
        loss: What backward is about to be called on.
        outputs: What models have returned.
    """

    _kinds = Kinds()

    def __init__(self, loss: torch.Tensor, outputs: Sequence[weakref.ref[torch.Tensor]]) -> None:
        self._kept: list[tuple[Any, str, torch.Tensor]] = []
        """Nodes from the loss on, each with one thing that it has saved."""
        root = loss.grad_fn
        if root is not None and len(outputs) == 1 and node_name(root) not in _STEEP:
            behind = [other for other, _ in root.next_functions if other is not None]
            output = outputs[0]()
            if output is not None and len(behind) == 1 and behind[0] is output.grad_fn:
                return  # the usual one: a loss of the output, and of what no graph leads to
        ends = {output.grad_fn for reference in outputs if (output := reference()) is not None}
        ahead = [loss.grad_fn] if loss.grad_fn is not None else []
        seen = set(ahead)
        for node in ahead:
            if node in ends or len(seen) > _MOST:
                continue
            self._keep(node)
            for other, _ in node.next_functions:
                if other is not None and other not in seen:
                    seen.add(other)
                    ahead.append(other)

    def _keep(self, node: Any) -> None:
        steep = _STEEP.get(node_name(node))
        if steep is None or steep[0] not in self._kinds.labels(node):
            return
        if node_name(node) == "Pow" and getattr(node, "_saved_exponent", 1) >= 1:
            return
        raw = getattr(node, f"_raw_saved_{steep[0]}")
        data = raw.data if raw.unpack_hook is None else None
        if data is not None and data.nbytes <= _LARGEST:
            self._kept.append((node, steep[0], data))

    def producer(self) -> Producer | None:
        """The first of its nodes, from the loss on, whose slope was infinite."""
        for node, label, saved in self._kept:
            _, where, what = _STEEP[node_name(node)]
            numbers = plain(saved)
            at = where(numbers) if numbers is not None else None
            if at is not None and bool(at.any()):
                index = index_of(int(at.reshape(-1).to(torch.uint8).argmax()), tuple(at.shape))
                spot = f" at {place(index)}" if index else ""
                return Producer(
                    node.name(), f"the {label} of {node_words(node)} is {what}{spot}: its slope is infinite"
                )
        return None
