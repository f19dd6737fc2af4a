"""What a rule sees at a boundary: the phase done and what it did, the phase that comes, and all that is alive.

Everything lives only as long as training stands there: a rule keeps names, numbers and weak references, no tensors.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from stepdbg.protocol.messages import BadValue, Boundary, Effect, ReplicaStepped
from stepdbg.tracer.checks.loss_graph import LossGraph
from stepdbg.tracer.effects.effects import ObjectRecord, ObjectSnapshot
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.introspect.layout import modules_of, optimized_by
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.wrapper_calls import arguments_of, call_at
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.loaders.fetched import Fetched
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.unwrap import key_of
from stepdbg.tracer.phases.phase import Phase

Place = tuple[str, int]
"""A file and a line of the user's."""
Explain = Callable[[torch.Tensor | None], BadValue | None]
"""Tells what is not finite and was found since the boundary before, or in a loss."""


def nothing_is_bad(loss: torch.Tensor | None) -> BadValue | None:
    """What is told where nobody looks whether all is finite: nothing."""


class Moment:
    """A boundary between two phases, as the rules see it.

    Args:
        boundary: Where training stands.
        phase: The phase done; None where none is.
        before: Everything as it was at the boundary before; None where nobody looked.
        after: Everything as it is.
        effects: What the phase done did, and what came after it.
        registry: What is alive; refreshed.
        stack: The training thread's frames, innermost first.
        places: Where each phase was called last, by its name.
        updates: The number of updates that were looked at from their beginning.
        explain: Tells what is not finite.
        reached: The parameters whose gradients a backward has written, each with the update in which it did so last.
        scaling: What is done to gradients between backward and step.
    """

    def __init__(
        self,
        boundary: Boundary,
        phase: Phase | None,
        before: ObjectSnapshot | None,
        after: ObjectSnapshot,
        effects: Sequence[Effect],
        registry: Registry,
        stack: Sequence[FrameType],
        places: Mapping[str, Place],
        updates: int = 0,
        explain: Explain = nothing_is_bad,
        reached: Mapping[str, int] | None = None,
        scaling: GradientScaling | None = None,
    ) -> None:
        self.boundary, self.phase, self.registry, self.stack = boundary, phase, registry, stack
        self.before, self.after, self.effects = before, after, effects
        self._places = places
        self.updates = updates
        self._scaling = scaling
        self.reached: Mapping[str, int] = reached or {}
        self._explain = explain
        self.say: Callable[[ReplicaStepped], object] = lambda _: None
        """Tells the hub what only it can judge, who hears of all ranks."""

    # where training stands

    @property
    def done(self) -> str:
        """The phase done; empty where none is, or nobody saw it begin."""
        return (self.boundary.done or "") if self.before is not None else ""

    @property
    def comes(self) -> str:
        """The phase that begins here; empty where the script has ended, or it is only foretold."""
        return (self.boundary.next or "") if not self.boundary.predicted else ""

    @property
    def update(self) -> int:
        """The update that the phase done is part of."""
        return self.boundary.update

    @property
    def skipped(self) -> bool:
        """Whether the step done was skipped by a gradient scaler."""
        return self.boundary.skipped

    @property
    def inside(self) -> tuple[str, ...]:
        """The enclosing phases: `step` where a closure runs."""
        return self.boundary.inside

    @property
    def here(self) -> Place | None:
        """The user's innermost line: where the phase that comes is called."""
        return (self.boundary.file, self.boundary.line or 0) if self.boundary.file else None

    @property
    def place(self) -> Place | None:
        """The user's line where the phase done was called."""
        return self.phase.place if self.phase is not None else None

    def place_of(self, name: str) -> Place | None:
        """The user's line where a phase of that name was called last, this boundary's `comes` included."""
        return self.here if name == self.comes and self.here is not None else self._places.get(name)

    def phase_at(self, file: str, line: int) -> tuple[str, str]:
        """The phase that was called at that line, if one is known, else the one done or about to begin here; and whose
        it is, where that is known: the name of an optimizer, a model or a loss.
        """
        place, done = (file, line), self.boundary.done or ""
        if self.comes and (place == self.here or not done) and place != self.place:
            return self.comes, (self.registry.newest.loss_name() or "") if self.comes == "backward" else ""
        name = done if place == self.place else next((one for one, at in self._places.items() if at == place), done)
        if name != done:
            return name, ""
        if name in ("loss", "backward"):
            return name, (self.phase.loss if self.phase is not None else None) or ""
        owner = self.owner
        named = [*self.optimizers, *self.models] if owner is not None else []
        return name, next((words for words, one in named if one is owner), "")

    # what the phase done did

    @property
    def by_call(self) -> list[Effect]:
        """The effects of the call of the phase done itself."""
        return [one for one in self.effects if not (one.after or one.before)]

    @property
    def written(self) -> set[str]:
        """The parameters whose gradients the phase done has written, or the script after it or before it."""
        return {one.object.removesuffix(".grad") for one in self.effects if one.kind == "grad" and one.what != "freed"}

    @property
    def by_script(self) -> list[Effect]:
        """What the script did between the phase's call and this boundary, or between the boundary before and the
        call.
        """
        return [one for one in self.effects if one.after or one.before]

    # what is not finite

    @cached_property
    def bad(self) -> BadValue | None:
        """The first value that is not finite, if it was found since the boundary before; None where all was finite
        since, or nobody looks.
        """
        return self._explain(None)

    def bad_loss(self, loss: torch.Tensor) -> BadValue | None:
        """What has made a loss that is not finite; None where nobody looks."""
        return self._explain(loss)

    # what is alive

    @property
    def alive(self) -> Mapping[str, Alive]:
        """Everything that is alive, by name."""
        return self.registry.alive

    @cached_property
    def parameters(self) -> dict[str, torch.Tensor]:
        """The parameters of all models, and what optimizers hold beside them, by name."""
        return {
            name: one.tensor for name, one in self.alive.items() if one.kind == "parameter" and one.tensor is not None
        }

    @cached_property
    def name_of(self) -> dict[int, str]:
        """The names of the parameters and buffers by `id` of the tensor."""
        kinds = ("buffer", "parameter")
        return {
            id(one.tensor): name for name, one in self.alive.items() if one.kind in kinds and one.tensor is not None
        }

    def gradient_of(self, parameter: str) -> torch.Tensor | None:
        """The gradient of a parameter by its name."""
        found = self.alive.get(f"{parameter}.grad")
        return found.tensor if found is not None and found.kind == "grad" else None

    def record(self, name: str) -> ObjectRecord | None:
        """How an object is now: its fingerprint and version counter."""
        return self.after.get(name)

    @property
    def fetched(self) -> Fetched | None:
        """The batch that training has fetched last from a loader."""
        return self.registry.newest.fetching.newest

    @property
    def passes(self) -> tuple[int, int]:
        """How often a loader was found to have no batch left, and how many the last of these has given."""
        fetching = self.registry.newest.fetching
        return fetching.passes, fetching.batches

    @property
    def models(self) -> list[tuple[str, nn.Module]]:
        """The models by name: the outermost modules that were called or are in sight."""
        return self.registry.models()

    @property
    def optimizers(self) -> list[tuple[str, Optimizer]]:
        """The optimizers by name."""
        return [(named.name, one) for named, one in self.registry.optimizers()]

    @property
    def owner(self) -> Any:
        """The model or optimizer whose call the phase done was; None where that is not known."""
        return self.phase.owner() if self.phase is not None and self.phase.owner is not None else None

    @property
    def optimizer(self) -> tuple[str, Optimizer] | None:
        """The optimizer whose phase was done, with its name; the only one where the phase's owner is not known."""
        return self._optimizer(self.owner)

    @property
    def model(self) -> tuple[str, nn.Module] | None:
        """The model whose forward was done, with its name."""
        owner, models = self.owner, self.models
        found = [(name, one) for name, one in models if one is owner]
        return found[0] if found else models[0] if len(models) == 1 and owner is None else None

    @property
    def coming_model(self) -> tuple[str, nn.Module] | None:
        """The model that is about to be called, with its name: in the mode that the call is made in."""
        called = self.call.get("self") if self.comes in ("forward", "eval") else None
        return next(((name, one) for name, one in self.models if one is called), None)

    def held_by(self, optimizer: Optimizer) -> list[str]:
        """The names of the parameters that an optimizer holds, each once."""
        names = self.name_of
        return list(dict.fromkeys(names[id(one)] for one in optimized_by(optimizer) if id(one) in names))

    def modules(self) -> Iterator[tuple[str, nn.Module]]:
        """All modules of all models, by the names that the user would write."""
        for name, model in self.models:
            for path, module in modules_of(model):
                yield f"{name}.{path}".rstrip("."), module

    def _optimizer(self, owner: Any) -> tuple[str, Optimizer] | None:
        known = self.optimizers
        if is_a(owner, nn.Module):
            return None
        found = [(name, one) for name, one in known if one is owner or (owner is None and len(known) == 1)]
        return found[0] if found else None

    @property
    def call(self) -> dict[str, Any]:
        """The variables of our wrapper around the call that makes this boundary: `self`, or `args` and `kwargs`, of the
        phase that comes; empty where the phase is no call.
        """
        return call_at(sys._getframe()) if self.comes else {}

    @property
    def arguments(self) -> list[Any]:
        """What the call of the phase that comes is made with."""
        return arguments_of(self.call)

    def scale_of(self, optimizer: Optimizer) -> float:
        """What the gradients of an optimizer are still multiplied by, by a scaler; 1 where by nothing."""
        scale = self._scaling.scale(optimizer, key_of(optimizer)) if self._scaling is not None else None
        return 1.0 if scale is None else scale

    @property
    def scalings(self) -> int:
        """How often a scaler has scaled a loss so far."""
        return self._scaling.times if self._scaling is not None else 0

    @property
    def scale_factor(self) -> float | None:
        """What a scaler multiplies losses by; None where there is none, or it does nothing."""
        return self._scaling.factor() if self._scaling is not None else None

    # what backward is about to go through

    @cached_property
    def graph(self) -> LossGraph | None:
        """The graph of what backward is about to be called on; None where it does not come next, or has none."""
        newest = self.registry.newest
        if self.comes != "backward" or not (newest.at_backward or newest.loss_name()):
            return None  # (at the yield of a generator loop the loss is the one that a variable holds)
        loss = newest.loss()
        return LossGraph(loss, newest.loss_name() or "loss") if loss is not None else None


def some(names: Iterable[str], most: int = 3) -> str:
    """A few names and how many more: `a, b, c and 4 more`."""
    found = [*names]
    if len(found) <= most:
        return found[0] if len(found) == 1 else f"{', '.join(found[:-1])} and {found[-1]}" if found else ""
    return f"{', '.join(found[:most])} and {len(found) - most} more"


def at(place: Place | None) -> str:
    """`train.py:31`; empty where the place is not known."""
    return f"{place[0].rpartition('/')[2]}:{place[1]}" if place is not None else ""
