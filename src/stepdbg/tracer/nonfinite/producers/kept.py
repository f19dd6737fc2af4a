"""What a model was called with, kept until it is known that all which came of the call is finite.

By it the call can be made again, in a process of its own, and looked at operator by operator. Kept is what the call
refers to anyway until its backward has run, the state of the generator, and the gradients that arrived at its outputs.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.nonfinite.producers.loss_section import LossSection

_MOST = 8
"""Calls that are kept at a time: a script that never calls backward keeps making them."""
_LARGEST = 1 << 26
"""Bytes of the gradients that arrive at outputs, up to which these are kept."""


@dataclass(eq=False)
class Call:
    """A call of a model."""

    model: weakref.ref[nn.Module]
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    random: torch.Tensor
    """The state of the CPU's generator as the call began."""
    gradients: bool
    """Whether it was made with gradients."""
    autocast: torch.dtype | None
    """The type that autocast computed in on the CPU; None where it was off."""
    versions: tuple[int, ...]
    """How often the tensors among the arguments had been written."""
    outputs: list[weakref.ref[torch.Tensor]] = field(default_factory=list)
    """What it has returned."""
    arrived: dict[int, torch.Tensor] = field(default_factory=dict)
    """The gradients that have arrived at its outputs, by place."""
    hooks: list[Any] = field(default_factory=list)

    def is_whole(self) -> bool:
        """Whether the arguments are what they were."""
        return self.versions == _versions(_tensors(self.args, self.kwargs))

    def let_go(self) -> None:
        """Take the hooks out of the graph."""
        for hook in self.hooks:
            hook.remove()
        self.hooks.clear()


class Calls:
    """The calls that are kept."""

    def __init__(self) -> None:
        self.all: list[Call] = []
        """The calls, oldest first."""
        self.section: LossSection | None = None
        """The graph between the newest loss and these."""
        self._open: Call | None = None

    def begins(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """A model is about to be called; kept where all that it is called with lies in this process's memory."""
        self._open = None
        tensors = _tensors(args, kwargs)
        if not all(type(tensor) is torch.Tensor and tensor.is_cpu for tensor in tensors):
            return
        on = torch.is_autocast_enabled("cpu")
        self._open = Call(
            weakref.ref(model),
            args,
            kwargs,
            torch.get_rng_state(),
            torch.is_grad_enabled(),
            torch.get_autocast_dtype("cpu") if on else None,
            _versions(tensors),
        )

    def returned(self, outputs: list[torch.Tensor]) -> None:
        """The call has returned these."""
        call, self._open = self._open, None
        if call is None:
            return
        while len(self.all) >= _MOST:
            self.all.pop(0).let_go()
        self.all.append(call)
        call.outputs = list(map(weakref.ref, outputs))
        for place, output in enumerate(outputs):
            node = output.grad_fn
            if call.gradients and node is not None and output.is_cpu and output.nbytes <= _LARGEST:
                call.hooks.append(node.register_prehook(partial(_arrive, weakref.ref(call), place, output.output_nr)))

    def forget(self) -> None:
        """All that came of them is finite."""
        for call in self.all:
            call.let_go()
        self.all.clear()
        self._open = self.section = None


def _arrive(call: weakref.ref[Call], place: int, number: int, grads: tuple[torch.Tensor | None, ...]) -> None:
    """A gradient has arrived at the node that has made an output."""
    kept = call()
    if kept is not None and number < len(grads) and (grad := grads[number]) is not None:
        kept.arrived[place] = grad


def _tensors(args: tuple[Any, ...], kwargs: dict[str, Any]) -> list[torch.Tensor]:
    if len(args) == 1 and not kwargs and type(args[0]) is torch.Tensor:
        return [args[0]]
    return [tensor for _, tensor in tensors_in((args, kwargs))]


def _versions(tensors: list[torch.Tensor]) -> tuple[int, ...]:
    return tuple([0 if one.is_inference() else one._version for one in tensors])
