"""Tensors of the user's own that are trained without an optimizer: the leaves that a backward leads to, by the user's
variables (`w1`, `params['w']`, `net.layers[0].weight`).
"""

from __future__ import annotations

import weakref
from collections.abc import Container, Iterable, Iterator, Mapping

import torch
from torch import nn

from stepdbg.tracer.objects.module_tensors import parameters_of
from stepdbg.tracer.objects.variable_names import Reachable


class Leaves:
    """What the newest backward has led to, in a program without an optimizer."""

    def __init__(self) -> None:
        self.steps = 0
        """The number of times that the script has moved the leaves itself."""
        self._noted: list[weakref.ref[torch.Tensor]] = []
        self._names: dict[int, str] = {}
        """What the leaves were called when they were listed last, by their place among those noted."""

    def note(self, leaves: list[torch.Tensor]) -> None:
        """A backward has led to these."""
        known = {id(tensor) for ref in self._noted if (tensor := ref()) is not None}
        if any(id(leaf) not in known for leaf in leaves):
            self._noted, self._names = [weakref.ref(leaf) for leaf in leaves], {}

    def named(self, reachable: Reachable, listed: Container[int], *, alone: bool) -> Iterator[tuple[str, torch.Tensor]]:
        """The leaves that have a name and are not listed yet, in the order of the user's variables.

        Args:
            reachable: What the variables lead to.
            listed: What is listed, by `id`.
            alone: There is no model: before the first backward whatever can be trained is taken for a leaf.
        """
        noted = [ref() for ref in self._noted]
        remade = self._remade({id(leaf) for leaf in noted}, reachable)
        leaves: dict[int, torch.Tensor] = {}
        places: dict[int, int] = {}
        for place, leaf in enumerate(noted):
            leaf = remade.get(place, leaf)
            if leaf is not None and id(leaf) not in listed:
                leaves[id(leaf)] = leaf
                places[id(leaf)] = place
        if not leaves and alone and not self._noted:
            seen = (ref() for ref in reachable.tensors.values())
            leaves = {id(one): one for one in seen if one is not None and one.requires_grad and one.is_leaf}
        names = reachable.names
        if any(key not in names for key in leaves):
            names = {**names_of_parts(reachable.modules, names), **names}
        order = [key for key in reachable.tensors if key in leaves]
        for key in [*order, *(key for key in leaves if key not in reachable.tensors)]:
            if (name := names.get(key)) is not None:
                if (at := places.get(key)) is not None:
                    self._names[at] = name
                yield name, leaves[key]

    def _remade(self, noted: Container[int], reachable: Reachable) -> dict[int, torch.Tensor]:
        """The tensors that the script has put where leaves were, by the place of those: the next backward trains them.
        (`w = (w - lr * w.grad).detach().requires_grad_()`)

        Args:
            noted: The leaves themselves, by `id`.
            reachable: What the variables lead to.
        """
        if not self._names:
            return {}
        keys = {name: key for key, name in reachable.names.items()}
        found: dict[int, torch.Tensor] = {}
        for place, name in self._names.items():
            key = keys.get(name, 0)
            if key not in noted and (ref := reachable.tensors.get(key)) is not None:
                tensor = ref()
                if tensor is not None and tensor.requires_grad and tensor.is_leaf:
                    found[place] = tensor
        return found


def names_of_parts(parts: Iterable[nn.Module], names: Mapping[int, str]) -> dict[int, str]:
    """The parameters of modules that have a name of their own, by `id`: of those that are in no model, for instance."""
    found: dict[int, str] = {}
    for part in parts:
        if (name := names.get(id(part))) is not None:
            for path, parameter in parameters_of(part):
                found.setdefault(id(parameter), f"{name}.{path}")
    return found
