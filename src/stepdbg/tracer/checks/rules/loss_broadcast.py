"""Prediction and target of a loss broadcast against each other: each prediction is held against every target.

Read off the graph of the loss before backward goes through it (`broadcasts.py`). Of a difference the graph does not
keep what was subtracted: there a tensor of the script's is taken for it only if it gives the very same numbers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from itertools import islice

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.broadcasts import Broadcast, Shape, broadcast, broadcasts_in, kept_by, pairs_wrongly
from stepdbg.tracer.checks.loss_graph import Node, kind, output_shape
from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.checks.places import line_of, line_that_names
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.tensors.readable import ORDINARY, address_of, elements_of, shape_of

_CANDIDATES = 32
"""Tensors of the right shape that are tried for the other operand of a difference."""


class LossBroadcast(Rule):
    """The rule `loss-broadcast`."""

    name = "loss-broadcast"

    def __init__(self) -> None:
        self._graphs = 0
        self._opaque = self._unknown = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        graph = moment.graph
        if graph is None or graph.root is None:
            return
        self._graphs += 1
        self._opaque = self._opaque or graph.opaque
        made = _made_by(moment)
        given = {one.tensor.grad_fn for one in moment.alive.values() if one.kind == "output" and one.tensor is not None}
        for found in broadcasts_in(graph, given):
            names = [made[node][0] if node in made else "" for node, _ in found.known]
            shapes = [shape for _, shape in found.known]
            if len(found.known) == 1:
                other = self._other(moment, found, made)
                if other is None:
                    continue
                names.append(other[0])
                shapes.append(other[1])
            yield self._told(moment, found, names, shapes, {node: name for node, (name, _) in made.items()})

    def right(self) -> str:
        return "no loss holds each prediction against every target" if self._sound() and self._graphs else ""

    def unchecked(self) -> str:
        if self._opaque:
            return f"{self.name}: part of the graph is compiled or a function of the script's"
        return f"{self.name}: a loss broadcasts what could not be found" if self._unknown else ""

    def _sound(self) -> bool:
        return not (self._opaque or self._unknown)

    def _told(
        self, moment: Moment, found: Broadcast, names: list[str], shapes: list[Shape], made: dict[Node, str]
    ) -> Finding:
        one, other = (
            f"{name or 'a tensor'} of shape {_in_words(shape)}" for name, shape in zip(names, shapes, strict=True)
        )
        number = math.prod(shapes[0])
        first, second = names[0] or "the one", names[1] or "the other"
        longer, shape, shorter = (
            (first, shapes[0], second) if len(shapes[0]) > len(shapes[1]) else (second, shapes[1], first)
        )
        axis = next((place for place, size in enumerate(shape) if size == 1), -1)
        axis = -1 if axis == len(shape) - 1 else axis
        place = line_of(moment, (found.node, *found.users), made)
        if place == moment.here and found.operation.isidentifier():  # a library has called backward
            place = line_that_names(moment, found.operation) or place
        return self.finding(
            moment,
            f"{one} and {other} broadcast to {_in_words(found.result)} in the loss: each element of {first} is paired "
            f"with every one of {second}",
            objects=[name for name in names if name],
            place=place,
            evidence=f"{found.operation} of {_in_words(shapes[0])} and {_in_words(shapes[1])} makes "
            f"{math.prod(found.result)} elements of {number} pairs, and the loss is taken over all of them",
            cause=f"{first} and {second} have the same {number} elements in different shapes",
            fix=f"give both the same shape: {longer}.squeeze({axis}), or {shorter}.view_as({longer})",
        )

    def _other(
        self, moment: Moment, found: Broadcast, made: dict[Node, tuple[str, torch.Tensor]]
    ) -> tuple[str, Shape] | None:
        """The name and shape of the operand that has no graph; None where it is not known to be what it looks like."""
        shape = found.known[0][1]
        candidates = [(name, one) for name, one in _tensors(moment) if elements_of(one) == math.prod(shape)]
        fitting = [
            (name, one)
            for name, one in candidates
            if pairs_wrongly(shape, shape_of(one)) and broadcast(shape, shape_of(one)) == found.result
        ]
        if found.other is not None:
            address = address_of(found.kept)
            for name, one in fitting:
                if address_of(one) == address:
                    return name, shape_of(one)
            # what has been computed in place has no name; what is a view was shaped so in place
            return None if _is_view(found.kept) else ("", found.other)
        prediction = made.get(found.known[0][0])
        if prediction is not None:
            for name, one in islice(fitting, _CANDIDATES):
                if _is_made_of(found, prediction[1], one):
                    return name, shape_of(one)
        self._unknown = self._unknown or bool(fitting)
        return None


def _tensors(moment: Moment) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors without a graph that the script can reach, and the batch, by name."""
    names = moment.registry.scope
    seen = set[int]()
    for name, one in moment.alive.items():
        if one.kind == "batch" and one.tensor is not None:
            seen.add(id(one.tensor))
            yield names.get(id(one.tensor), name), one.tensor
    for key, reference in moment.registry.reachable.items():
        tensor = reference()
        if tensor is not None and key not in seen and type(tensor) in ORDINARY and not tensor.requires_grad:
            yield names.get(key, ""), tensor


def _made_by(moment: Moment) -> dict[Node, tuple[str, torch.Tensor]]:
    """The tensors that the script can reach by the node that made them, each with its name."""
    found: dict[Node, tuple[str, torch.Tensor]] = {}
    for name, one in moment.alive.items():
        if one.kind in ("output", "loss") and one.tensor is not None and one.tensor.grad_fn is not None:
            found[one.tensor.grad_fn] = name, one.tensor
    for key, reference in moment.registry.reachable.items():
        tensor = reference()
        if tensor is not None and tensor.grad_fn is not None and key in moment.registry.scope:
            found[tensor.grad_fn] = moment.registry.scope[key], tensor
    return found


def _is_made_of(found: Broadcast, prediction: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether the difference or sum that was kept by what used it is the one of these two."""
    if type(prediction) not in ORDINARY or getattr(found.node, "_saved_alpha", 1) != 1:
        return False
    one = prediction.detach()
    what, is_second = kind(found.node), found.node.next_functions[0][0] is None
    if what == "AddBackward":
        values = one + other
    else:
        values = other - one if is_second != (what == "RsubBackward") else one - other
    for user in found.users[:1]:
        for kept in kept_by(user, "self", "other", "result"):
            if (
                output_shape(found.node) == tuple(kept.shape)
                and kept.dtype == values.dtype
                and torch.equal(kept, values)
            ):
                return True
    return False


def _is_view(tensor: torch.Tensor) -> bool:
    return bool(torch.Tensor._is_view(tensor))


def _in_words(shape: Shape) -> str:
    return f"[{', '.join(map(str, shape))}]"
