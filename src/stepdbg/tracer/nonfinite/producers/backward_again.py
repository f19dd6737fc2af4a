"""The backward of a call, made again node by node: which is the first that makes a gradient which is not finite.

Like the forward it runs in a child (`replay`). It begins with the gradients that arrived at the outputs of the call.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import torch

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.graph.saved_tensors import Kinds
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.nonfinite.elements import Bad, bad_elements, plain
from stepdbg.tracer.nonfinite.producers.called_again import Found, ModuleName, Place, run
from stepdbg.tracer.nonfinite.producers.kept import Call
from stepdbg.tracer.nonfinite.producers.operands import number, place
from stepdbg.tracer.nonfinite.producers.replay import Replayed
from stepdbg.tracer.stepping.operators import Seeing
from stepdbg.tracer.tensors.autograd_nodes import walked

_autograd: Any = torch.autograd
_next_number = torch._C._autograd._get_sequence_nr


def backward_again(call: Call, name_of: ModuleName, names: dict[int, str]) -> Replayed:
    """The node that has made a gradient bad.

    Args:
        call: The call of a model.
        name_of: What a module is called.
        names: What parameters are called, by `id`.
    """
    where: dict[int, tuple[str, str, int]] = {}
    here = Place(name_of)

    def ran(*_: Any) -> None:
        where.setdefault(_next_number() - 1, here.here())

    mode = Seeing(lambda *_: None, ran)
    outputs = [tensor for _, tensor in tensors_in(run(call, mode, here))]
    pairs = [(outputs[at], grad) for at, grad in sorted(call.arrived.items()) if at < len(outputs)]
    if not pairs:
        return Replayed(None, False)
    model = call.model()
    assert model is not None
    for parameter in model.parameters():
        parameter.grad = None
    nodes = _Nodes(where, names)
    here.base = sys._getframe()
    plain_engine = _autograd._engine_run_backward

    def hooked_engine(roots: Any, *args: Any, **kwargs: Any) -> Any:
        nodes.hook(roots)
        return plain_engine(roots, *args, **kwargs)

    _autograd._engine_run_backward = hooked_engine
    try:
        with torch.enable_grad(), here.followed():
            mode.push()
            torch.autograd.backward([one for one, _ in pairs], [grad for _, grad in pairs], retain_graph=True)
    except Found as found:
        return Replayed(found.producer)
    return Replayed(None, False)


class _Nodes:
    """Sees each node of a graph, and ends the backward at the first that makes a bad gradient."""

    def __init__(self, where: dict[int, tuple[str, str, int]], names: dict[int, str]) -> None:
        self._where, self._names = where, names
        self._kinds = Kinds()
        self._bad: set[tuple[int, int]] = set()
        """Where nodes have handed on what is not finite: to which node, and to which of its outputs."""
        self._held: list[Any] = []

    def hook(self, roots: Any) -> None:
        """See the nodes of the graph that the engine starts on."""
        nodes, _ = walked(roots)
        self._held += nodes
        for node in nodes:
            node.register_hook(partial(self._ran, node))
            for leaf, _ in node.next_functions:
                if leaf is not None and leaf.name().endswith("AccumulateGrad") and leaf not in self._held:
                    self._held.append(leaf)
                    leaf.register_prehook(partial(self._arrives, leaf))

    def _ran(self, node: Any, made: Any, given: Any) -> None:
        bad = [(at, one, found) for at, one in enumerate(made) if one is not None and (found := _bad(one)) is not None]
        if any(one is not None and _bad(one) is not None for one in given):
            at = next(at for at, one in enumerate(given) if one is not None and _bad(one) is not None)
            if (id(node), at) not in self._bad and self._is_inner(node):
                module, file, line = self._where.get(node._sequence_nr(), ("", "", 0))
                raise Found(
                    Producer(
                        "a gradient hook", f"on what {node.name()} had made: it arrived finite", module, file, line
                    )
                )
        elif bad:
            _, grad, found = bad[0]
            module, file, line = self._where.get(node._sequence_nr(), ("", "", 0))
            raise Found(Producer(node.name(), self._why(node, grad, found, given), module, file, line))
        for at, _, _ in bad:
            target, output = node.next_functions[at]
            if target is not None:
                self._bad.add((id(target), output))

    def _is_inner(self, node: Any) -> bool:
        """Whether another node has handed its gradient to that one."""
        return any(
            other is node for one in self._held if hasattr(one, "next_functions") for other, _ in one.next_functions
        )

    def _arrives(self, leaf: Any, grads: Any) -> None:
        grad = grads[0] if grads else None
        if grad is not None and _bad(grad) is not None and (id(leaf), 0) not in self._bad:
            name = self._names.get(id(leaf.variable), "a parameter")
            raise Found(Producer("a gradient hook", f"on {name}; what backward had computed was finite"))

    def _why(self, node: Any, made: torch.Tensor, bad: Bad, given: Any) -> str:
        """What the node had saved at the element that is bad, and the gradient that arrived there."""
        words: list[str] = []
        for label in self._kinds.labels(node):
            try:
                saved = getattr(node, f"_saved_{label}")
            except Exception:  # several at once, or behind a hook
                continue
            if isinstance(saved, torch.Tensor) and (value := _at(saved, made, bad)) is not None:
                words.append(f"its {label} is {value}")
        arrived = next((value for one in given if one is not None and (value := _at(one, made, bad))), None)
        at = f" at {place(bad.at)}" if bad.at else ""
        became = "NaN" if bad.nan else "infinite"
        if arrived is not None and not words:
            return f"a gradient of {arrived} became {became}{at}"
        if arrived is not None:
            return f"{' and '.join(words)}{at}, where a gradient of {arrived} became {became}"
        return f"{' and '.join(words)}{at}" if words else f"its gradient became {became}{at}"


def _bad(tensor: torch.Tensor) -> Bad | None:
    return bad_elements(tensor, infinite=True)


def _at(tensor: torch.Tensor, like: torch.Tensor, bad: Bad) -> str | None:
    """The element of a tensor that belongs to the bad one; None where none does."""
    numbers = plain(tensor)
    if numbers is None:
        return None
    try:
        return number(float(numbers.expand(like.shape)[bad.at]))
    except RuntimeError:
        return None
