"""Whose forward, whose step, whose zero_grad: the model or the optimizer that a call of ours was made on.

It is read off the wrapper's own frame, and only while somebody looks: a free run notes nothing. Names are looked up at
a stop. Where there is one model and one optimizer, nobody needs to be told.
"""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from types import FrameType
from typing import Any

import msgspec
from torch import nn
from torch.optim import Optimizer

from stepdbg.protocol.messages import PhaseRecord
from stepdbg.tracer.introspect.layout import modules_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.wrapper_calls import arguments_of, call_at
from stepdbg.tracer.objects import unwrap as wrappers
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase

PhaseOwner = weakref.ref[Any] | None


def owner_of(call: dict[str, Any]) -> PhaseOwner:
    """The model or optimizer that this call was made on."""
    first = next(iter(call.get("args") or ()), None)
    return _owner(call.get("self")) or _owner(call.get("optimizer")) or _owner(first)  # (a scaler's step has its own)


def see_call(registry: Registry, name: str, frame: FrameType | None, *, by_hand: bool) -> PhaseOwner:
    """Whose call makes a boundary; what a forward is called with is noted (a batch made `by_hand`)."""
    call = call_at(frame)
    if name == "forward":
        registry.newest.note_call(arguments_of(call), registry.reachable, by_hand=by_hand)
    return owner_of(call)


def _owner(value: object) -> PhaseOwner:
    if is_a(value, nn.Module):
        return weakref.ref(value)
    if is_a(value, Optimizer):
        return weakref.ref(wrappers.innermost(value))  # type: ignore[arg-type]
    scheduled = vars(value).get("optimizer") if hasattr(value, "__dict__") else None
    return weakref.ref(wrappers.innermost(scheduled)) if is_a(scheduled, Optimizer) else None  # type: ignore[arg-type]


class Names:
    """The names of owners at a stop, where there are several that could be meant."""

    def __init__(self, registry: Registry, phases: Sequence[Phase] = ()) -> None:
        models, optimizers = registry.models(), registry.optimizers()
        self._models = models
        self._parts: dict[int, str] | None = None
        losses = {phase.loss for phase in phases if phase.loss}
        self._several = len(models) > 1 or len(optimizers) > 1 or len(losses) > 1
        self._known = {id(model): name if len(models) > 1 else "" for name, model in models}
        self._known |= {id(one): named.name if len(optimizers) > 1 else "" for named, one in optimizers}

    def of(self, owner: PhaseOwner) -> str:
        """The name of a phase's owner; empty where it is the only one, or not known. A part of a model is never the
        only one.
        """
        wrapper = called = owner() if owner is not None else None
        while wrapper is not None:
            if (name := self._known.get(id(wrapper))) is not None:
                return name
            wrapper = wrappers.wrapped(wrapper) if is_a(wrapper, nn.Module) else None
        return self._part(called) if is_a(called, nn.Module) else ""

    def _part(self, module: object) -> str:
        """`model.generator`: what a module that a model holds is called."""
        if self._parts is None:
            self._parts = {}
            for name, model in self._models:
                for path, part in modules_of(model):
                    self._parts.setdefault(id(part), f"{name}.{path}".rstrip("."))
        return self._parts.get(id(module), "")

    def loss(self, name: str | None) -> str:
        """The name of a loss, where there may be others."""
        return name or "" if self._several else ""

    def with_owners(self, records: tuple[PhaseRecord, ...], phases: list[Phase]) -> tuple[PhaseRecord, ...]:
        """The records of these phases, each with whose it was; a loss is that of the backward which follows on it."""
        found: list[PhaseRecord] = []
        coming = ""
        in_order = [phase for phase in phases if phase.in_order]
        for record, phase in zip(reversed(records), reversed(in_order), strict=True):
            if phase.name == "backward":
                coming = self.loss(phase.loss)
            of = coming if phase.name in ("loss", "backward") else self.of(phase.owner)
            found.append(msgspec.structs.replace(record, of=of) if of else record)
        return tuple(reversed(found))
