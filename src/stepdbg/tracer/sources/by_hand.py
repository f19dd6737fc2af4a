"""A step by hand: parameters moved between backward and what comes next, with no optimizer in the whole program.

Where there is none, what follows on backward is taken for a step; when the next phase begins, it is looked whether any
of the tensors that got gradients has changed. `p.data.add_` moves no version counter, so a few bytes are compared too.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from stepdbg.tracer.layout import parameters_in
from stepdbg.tracer.other_threads import gradient
from stepdbg.tracer.quiet import unseen

if TYPE_CHECKING:
    from stepdbg.tracer.boundary import Tracer

_LEAVES = 64
"""So many tensors are looked at."""
_NODES = 10_000
"""So much of a graph is walked to find them."""
_BYTES = 64
"""So many bytes of each are compared."""


class _Leaf(NamedTuple):
    """A tensor that got a gradient, as it was after backward."""

    ref: weakref.ref[torch.Tensor]
    version: int
    sample: bytes


class ByHand:
    """What comes after backward in a program without an optimizer."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._leaves: list[weakref.ref[torch.Tensor]] = []

    def expect(self, tensors: Any) -> None:
        """A backward on these has just ended at the level of the script: begin a step, to be confirmed later."""
        tracer = self._tracer
        if not all(ref() is not None for ref in self._leaves) or not self._leaves:
            self._leaves = self._find(tensors)
        leaves = [_seen(leaf) for ref in self._leaves if (leaf := ref()) is not None]
        phase = tracer.begin("step", None, False, predicted=True)
        phase.doubt = lambda: _any_moved(leaves)

    def _find(self, tensors: Any) -> list[weakref.ref[torch.Tensor]]:
        found: list[weakref.ref[torch.Tensor]] = [
            weakref.ref(parameter)
            for _, model in self._tracer.registry.models()
            for parameter in parameters_in(model)
            if gradient(parameter) is not None
        ]
        if not found:
            found = [weakref.ref(leaf) for leaf in _leaves_of(tensors)]
        return found[:_LEAVES]


def _leaves_of(tensors: Any) -> list[torch.Tensor]:
    """The leaves of a graph, as far as it still stands after backward."""
    waiting = [
        tensor.grad_fn
        for tensor in (tensors if isinstance(tensors, (tuple, list)) else [tensors])
        if isinstance(tensor, torch.Tensor) and tensor.grad_fn is not None
    ]
    seen: set[Any] = set(waiting)
    leaves: list[torch.Tensor] = []
    while waiting and len(seen) < _NODES and len(leaves) < _LEAVES:
        node = waiting.pop()
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, torch.Tensor):
            leaves.append(leaf)
        for other, _ in node.next_functions:
            if other is not None and other not in seen:
                seen.add(other)
                waiting.append(other)
    return leaves


def _seen(leaf: torch.Tensor) -> _Leaf:
    return _Leaf(weakref.ref(leaf), _version(leaf), _sample(leaf))


def _moved(leaf: _Leaf) -> bool:
    tensor = leaf.ref()
    return tensor is None or _version(tensor) != leaf.version or _sample(tensor) != leaf.sample


def _any_moved(leaves: list[_Leaf]) -> bool:
    with unseen():
        return any(_moved(leaf) for leaf in leaves)


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _sample(tensor: torch.Tensor) -> bytes:
    """The first bytes of a tensor, where they can be read without waiting."""
    if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.device.type != "cpu":
        return b""
    if tensor.layout is not torch.strided or tensor.numel() == 0:
        return b""
    return ctypes.string_at(tensor.data_ptr(), min(_BYTES, tensor.element_size() * (1 + _reach(tensor))))


def _reach(tensor: torch.Tensor) -> int:
    """How far the last element lies from the first, in elements."""
    return sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
