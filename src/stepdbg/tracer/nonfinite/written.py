"""Whether parameters, gradients or optimizer state were written since they were looked at, by torch's own counters."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Sequence
from typing import Any

import torch

from stepdbg.protocol.messages import Kind
from stepdbg.tracer.introspect.layout import groups_of, optimized_by, parameters_in, states_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.nonfinite.sound_steps import has_squares_below_zero
from stepdbg.tracer.objects.other_threads import gradients
from stepdbg.tracer.objects.registry import Registry

_version = torch.Tensor._version.__get__  # type: ignore[attr-defined]
_ANEW = 512
"""After so many looks, of which an update takes six, what there is is listed anew, though nothing was seen to come or
go. With 30 parameters and Adam that takes 0.6 ms."""
Tensors = list[weakref.ref[torch.Tensor]]


class Written:
    """What is trained, and how often each of it has been written."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._loose: Tensors = []
        """The parameters that no optimizer holds."""
        self._states: Tensors = []
        self._optimizers: list[weakref.ref[Any]] = []
        self._looks = 0
        self._known = self._with_state = -1
        """The number of models and optimizers, and of parameters with state, when they were listed."""
        self.is_wide = False
        """Whether all parameters are of types with the range of 32 bits."""
        self._counted: dict[Kind, list[int]] = {}
        """The counters of each kind, as of the last look."""

    def optimizers(self) -> list[Any]:
        """The optimizers."""
        return [one for reference in self._optimizers if (one := reference()) is not None]

    def parameters(self) -> list[torch.Tensor]:
        """The parameters of all models and optimizers, each once."""
        self._looks += 1
        if self._registry.noted != self._known or self._looks >= _ANEW:
            self._list()
        found: list[torch.Tensor] = []
        for optimizer in self.optimizers():
            for group in groups_of(optimizer):
                found += group["params"]
        if self._loose:
            found += [one for reference in self._loose if (one := reference()) is not None]
        return found

    def states(self) -> list[torch.Tensor]:
        """The tensors of all optimizer states, but for numbers: how often each has stepped."""
        return [one for reference in self._states if (one := reference()) is not None]

    def note(
        self, kinds: Iterable[Kind], parameters: Sequence[torch.Tensor], grads: list[torch.Tensor] | None = None
    ) -> None:
        """What is of these kinds has been looked at as it is now.

        Args:
            kinds: The kinds.
            parameters: All parameters.
            grads: Their gradients, if these are at hand.
        """
        for kind in kinds:
            if kind == "state" and sum([len(one.state) for one in self.optimizers()]) != self._with_state:
                self._list()
            self._counted[kind] = self._count(kind, parameters) if grads is None else _identified(grads)

    def since(self, parameters: Sequence[torch.Tensor], kinds: Sequence[Kind]) -> list[Kind]:
        """Those of these kinds of which anything was written since it was looked at last."""
        found: list[Kind] = []
        for kind in kinds:
            counters = self._count(kind, parameters)
            if counters != self._counted.get(kind):
                self._counted[kind] = counters
                found.append(kind)
        return found

    def has_squares_below_zero(self) -> bool:
        """Whether a second moment of an optimizer is negative."""
        return any(has_squares_below_zero(states_of(optimizer)) for optimizer in self.optimizers())

    def _list(self) -> None:
        self._known, self._looks = self._registry.noted, 0
        optimizers = [optimizer for _, optimizer in self._registry.optimizers()]
        held = {id(one) for optimizer in optimizers for one in optimized_by(optimizer)}
        found = {id(one): one for _, model in self._registry.models() for one in parameters_in(model)}
        found |= {id(one): one for optimizer in optimizers for one in optimized_by(optimizer)}
        self.is_wide = all(one.dtype is not torch.float16 for one in found.values())
        self._optimizers = list(map(weakref.ref, optimizers))
        self._loose = [weakref.ref(one) for key, one in found.items() if key not in held]
        states = [
            weakref.ref(value)
            for optimizer in optimizers
            for _, state in states_of(optimizer)
            for value in state.values()
            if is_a(value, torch.Tensor) and value.dim()
        ]
        self._with_state = sum(len(one.state) for one in optimizers)
        if [*map(id, states)] != [*map(id, self._states)]:  # (all who refer weakly to one tensor share the reference)
            self._states = states
            self._counted.pop("state", None)

    def _count(self, kind: Kind, parameters: Sequence[torch.Tensor]) -> list[int]:
        if kind == "parameter":
            return _counters(parameters)
        if kind == "state":
            return _counters(self.states())
        return _identified([grad for grad in gradients(parameters) if grad is not None])


def _identified(grads: list[torch.Tensor]) -> list[int]:
    """Which gradients these are, and how often each has been written."""
    return [*map(id, grads), *_counters(grads)]


def _counters(tensors: Sequence[torch.Tensor]) -> list[int]:
    try:
        return [*map(_version, tensors)]
    except RuntimeError:  # of inference tensors torch does not count
        return [0 if one.is_inference() else one._version for one in tensors]
