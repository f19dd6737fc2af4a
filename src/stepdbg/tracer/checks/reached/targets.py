"""Models whose outputs are only a target for another, and that get gradients all the same: a target network, a teacher.

Three things must hold. The graph: what the model computes depends on nothing else that is trained, and meets what is
trained only in the loss, so that detaching it takes no gradient from anything but itself. The parameters: no optimizer
holds them, or the script overwrites them with those of the model that is trained. And what tells a target from a model
that was forgotten: it is a copy of a trained one that is called a target, computes the maximum over actions, or was
overwritten; or it is in evaluation mode while what is trained is not.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

import torch
from torch import nn

from stepdbg.tracer.checks.loss_graph import VIEWS, LossGraph, Node, kind
from stepdbg.tracer.checks.membership import in_optimizers
from stepdbg.tracer.checks.moment import Moment
from stepdbg.tracer.introspect.layout import in_training, modules_of, parameters_in
from stepdbg.tracer.tensors.readable import shape_of

_NAMES = re.compile(r"target|teacher|(^|_|\.)(ema|momentum|old|frozen|reference|ref)(_|\.|$)", re.IGNORECASE)
"""What models are called that are to be constant."""
_GREATEST = ("MaxBackward", "AmaxBackward")
_PASSING = ("AddBackward", "SubBackward", "MulBackward", "WhereBackward", "IndexPutBackward", "MaskedFillBackward")
_PAIRING = ("MseLossBackward", "SmoothL1LossBackward", "HuberLossBackward")


class Target(NamedTuple):
    """A model that should be constant and gets gradients."""

    name: str
    copied: str
    """The name of the trained model that it is a copy of; empty where it is none."""
    why: str
    """What tells that it is a target."""
    parameters: tuple[str, ...]
    nodes: tuple[Node, ...]
    """What leads to it alone, nearest the loss first."""
    held: bool
    """Whether an optimizer holds it."""


class Targets:
    """The targets of one run. Copies are known by the fingerprints of their parameters, which were once the same."""

    def __init__(self) -> None:
        self._copies: dict[str, str] = {}
        """Modules by name that have had the values of a trained one, each with its name."""
        self._overwritten: set[str] = set()
        """Those of them that the script has given these values since training began."""
        self.names: set[str] = set()
        """The parameters of all targets that were found."""

    def see(self, moment: Moment) -> list[Target]:
        """Look at a boundary; the targets that the loss reaches on which backward is about to be called."""
        self._see_written(moment)
        graph = moment.graph
        if graph is None or graph.root is None or not graph.whole or not moment.optimizers:
            return []
        reached, held = {id(one) for one in graph.leaves}, in_optimizers(moment)
        if reached.isdisjoint(held):
            return []
        found: list[Target] = []
        done: set[int] = set()
        candidates = [*moment.modules()]
        for name, module in candidates:
            own = {id(one) for one in parameters_in(module) if one.requires_grad}
            if not own or own & done or not own <= reached or own >= reached:
                continue
            target = self._of(moment, graph, name, module, own, held, candidates)
            if target is not None:
                done |= own
                found.append(target)
                self.names.update(target.parameters)
        return found

    def _of(
        self,
        moment: Moment,
        graph: LossGraph,
        name: str,
        module: nn.Module,
        own: set[int],
        held: set[int],
        candidates: list[tuple[str, nn.Module]],
    ) -> Target | None:
        mine = own & held
        if mine and mine != own:
            return None
        trained = held - own
        copied = self._copy_of(moment, name, module, own, trained, candidates)
        still = not any(in_training(one) for _, one in modules_of(module))
        if not copied and (mine or not still or not _is_trained_elsewhere(moment, trained, own)):
            return None
        nodes = _alone(graph, own, trained)
        if nodes is None:
            return None
        called = _NAMES.search(name) is not None
        if name in self._overwritten:
            why = f"the script overwrites it with the values of {copied}"
        elif mine and not called:
            return None
        elif copied and called:
            why = f"it is a copy of {copied}"
        elif copied and any(kind(node) in _GREATEST for node in nodes):
            why = f"it is a copy of {copied}, and the maximum of what it computes is taken"
        elif still and not mine and not copied:
            why = "it is in evaluation mode"
        else:
            return None
        names = tuple(one for key, one in moment.name_of.items() if key in own)
        return Target(name, copied, why, names, tuple(nodes), bool(mine))

    def _copy_of(
        self,
        moment: Moment,
        name: str,
        module: nn.Module,
        own: set[int],
        trained: set[int],
        candidates: list[tuple[str, nn.Module]],
    ) -> str:
        """The trained module that one is a copy of; empty where it is none."""
        for other, one in candidates:
            if one is module or type(one) is not type(module) or name.startswith(f"{other}."):
                continue
            theirs = list(parameters_in(one))
            if not theirs or not {id(each) for each in theirs} <= trained or own & {id(each) for each in theirs}:
                continue
            if list(map(shape_of, theirs)) != list(map(shape_of, parameters_in(module))):
                continue
            if _prints(moment, module) == _prints(moment, one):
                self._copies[name] = other
            if self._copies.get(name) == other:
                return other
        return ""

    def _see_written(self, moment: Moment) -> None:
        """Note the copies that the script has just given the values of what they are copies of."""
        written = {one.object for one in moment.by_script if one.kind == "parameter" and one.what == "changed"}
        if not written or moment.updates < 1:
            return
        modules = dict(moment.modules()) if self._copies else {}
        for name, other in self._copies.items():
            if name in modules and other in modules and any(one.startswith(f"{name}.") for one in written):
                theirs = any(one.startswith(f"{other}.") for one in written)
                if not theirs and _prints(moment, modules[name]) == _prints(moment, modules[other]):
                    self._overwritten.add(name)

    def forget(self) -> None:
        """Boundaries have passed that nobody has looked at."""


def bootstrapped(graph: LossGraph, trained: Collection[int]) -> list[Node]:
    """Of a loss that holds a prediction against a reward plus a discounted maximum of the same network's own outputs,
    the nodes of the latter; empty where it is no such loss.
    """
    for node in graph.of_kind(*_PAIRING):
        sides = [one for one, _ in node.next_functions if one is not None]
        if len(sides) != 2:
            continue
        for side, other in (sides, sides[::-1]):
            chain = _discounted_maximum(side)
            leaves = _leaves(chain[-1], trained) if chain and not _discounted_maximum(other) else set()
            if leaves and leaves == _leaves(other, trained):
                return chain
    return []


def _discounted_maximum(node: Node) -> list[Node]:
    """The nodes from one to the maximum that a constant is added to, once it was multiplied by another."""
    chain: list[Node] = []
    while node is not None:
        chain.append(node)
        if kind(node) in _GREATEST:
            kinds = {kind(one) for one in chain}
            return chain if {"AddBackward", "MulBackward"} <= kinds else []
        if kind(node) not in _PASSING and type(node).__name__ not in VIEWS:
            return []
        inputs = [one for one, _ in node.next_functions if one is not None]
        if len(inputs) != 1:
            return []
        node = inputs[0]
    return []


def _leaves(root: Node, among: Collection[int]) -> set[int]:
    """The leaves by `id`, of these, that a node leads to."""
    seen, ahead = {root}, [root]
    found: set[int] = set()
    for node in ahead:  # grows as it is gone through
        if type(node).__name__ == "AccumulateGrad":
            found |= {id(node.variable)} & set(among)
        for one, _ in node.next_functions:
            if one is not None and one not in seen:
                seen.add(one)
                ahead.append(one)
    return found


def _is_trained_elsewhere(moment: Moment, trained: Collection[int], own: Collection[int]) -> bool:
    """Whether a model that holds what is trained, and none of a target's parameters, is in training mode."""
    for _, model in moment.models:
        ids = {id(one) for one in parameters_in(model)}
        if ids & set(trained) and not ids & set(own) and in_training(model):
            return True
    return False


def _prints(moment: Moment, module: nn.Module) -> list[object] | None:
    """The fingerprints of a module's parameters; equal to none where one is missing."""
    names = moment.name_of
    records = [moment.after.get(names.get(id(one), "")) for one in parameters_in(module)]
    found = [one.print for one in records if one is not None and one.print is not None]
    return found if found and len(found) == len(records) else [object()]


def _alone(graph: LossGraph, own: Collection[int], trained: Collection[int]) -> list[Node] | None:
    """The nodes that lead to a target and to nothing that is trained; None where the two are mixed in any other way
    than that they meet in the loss.
    """
    to_own, to_trained = _leading(graph, own), _leading(graph, trained)
    mixed = to_own & to_trained
    for node in mixed:
        if any(one in to_own | to_trained and _is_leaf(one) for one in _inputs(node)):
            return None
    alone = [node for node in graph.nodes if node in to_own and node not in mixed and not _is_leaf(node)]
    return alone or None


def _leading(graph: LossGraph, leaves: Collection[int]) -> set[Node]:
    """The nodes of a graph that lead to these leaves."""
    users: dict[Node, list[Node]] = {}
    ahead: list[Node] = []
    for node in graph.nodes:
        for one, _ in node.next_functions:
            if one is not None:
                users.setdefault(one, []).append(node)
        if type(node).__name__ == "AccumulateGrad" and id(node.variable) in leaves:
            ahead.append(node)
    found = set(ahead)
    for node in ahead:  # grows as it is gone through
        for user in users.get(node, ()):
            if user not in found:
                found.add(user)
                ahead.append(user)
    return found


def _inputs(node: Node) -> Iterator[Node]:
    """The nodes that made the inputs of a node, with those left out that only hand on."""
    for one, _ in node.next_functions:
        while one is not None and type(one).__name__ in VIEWS:
            one = next((other for other, _ in one.next_functions if other is not None), None)
        if one is not None:
            yield one


def _is_leaf(node: Node) -> bool:
    return type(node).__name__ == "AccumulateGrad"


def made_by(moment: Moment) -> dict[Node, str]:
    """The names of variables by the node that made what they hold."""
    found: dict[Node, str] = {}
    for key, reference in moment.registry.reachable.items():
        tensor = reference()
        if type(tensor) is torch.Tensor and tensor.grad_fn is not None and key in moment.registry.scope:
            found.setdefault(tensor.grad_fn, moment.registry.scope[key])
    return found
