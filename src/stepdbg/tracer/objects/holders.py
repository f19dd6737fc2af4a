"""The models and optimizers of a script: noted by the sources, found in sight at a stop, and named there.

A model is what was called, what holds parameters of an optimizer, or a copy of such a model. All are held weakly.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import chain
from types import FrameType

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.swa_utils import AveragedModel

from stepdbg.tracer.introspect import layout
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import modules_of, optimized_by, parameters_in
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects import unwrap as wrappers
from stepdbg.tracer.objects.other_threads import OtherThreads
from stepdbg.tracer.objects.outliving import Named
from stepdbg.tracer.objects.variable_names import Reachable, reachable_from, unique


@dataclass(slots=True)
class Holders:
    """The models and optimizers that are known."""

    models: list[Named] = field(default_factory=list)
    optimizers: list[Named] = field(default_factory=list)
    others: OtherThreads = field(default_factory=OtherThreads)
    """What threads of the script's own train, beside the thread that is debugged."""
    optimized: set[int] = field(default_factory=set)
    """The `id` of all that optimizers hold, as of the last `find`."""
    _loose: frozenset[int] = frozenset()
    """Parameters of optimizers that are in no model, as far as was found."""

    def note_model(self, model: nn.Module, *, called: bool = True) -> None:
        """A module was called that no other called, or was found in sight."""
        entry = next((entry for entry in self.models if entry.ref() is model), None)
        if entry is None:
            entry = Named(weakref.ref(model))
            self.models.append(entry)
        entry.called = entry.called or called

    def note_optimizer(self, optimizer: Optimizer) -> Named:
        """An optimizer was made or used; a wrapper counts as what it wraps."""
        for entry in self.optimizers:
            if entry.ref() is optimizer:
                return entry
        if (inner := wrappers.innermost(optimizer)) is not optimizer:
            return self.note_optimizer(inner)
        entry = Named(weakref.ref(optimizer))
        self.optimizers.append(entry)
        return entry

    def alive_models(self) -> list[tuple[str, nn.Module]]:
        """The models that are alive, with their names."""
        return [(entry.name, model) for entry in self.models if (model := entry.ref()) is not None]

    def alive_optimizers(self) -> list[tuple[Named, Optimizer]]:
        """The optimizers that are alive, with how they are noted."""
        return [(entry, optimizer) for entry in self.optimizers if (optimizer := entry.ref()) is not None]

    @property
    def named(self) -> tuple[Named, ...]:
        """All models and optimizers that were noted, with their names."""
        return (*self.models, *self.optimizers)

    def find(
        self,
        reachable: Reachable,
        stack: list[FrameType],
        parameters_of: Callable[[nn.Module, str], Iterable[torch.Tensor]],
    ) -> None:
        """Optimizers and models among the user's variables: a model is what holds parameters of an optimizer.

        Args:
            reachable: What the user's variables lead to.
            stack: The training thread's frames, innermost first.
            parameters_of: The parameters of a model of that name.
        """
        for optimizer in reachable.optimizers:
            self.note_optimizer(optimizer)
        self.optimizers = [
            entry
            for entry in self.optimizers
            if (used := entry.ref()) is not None and not self.others.alone_use(used, entry.steps)
        ]
        parameters = chain.from_iterable(optimized_by(optimizer) for _, optimizer in self.alive_optimizers())
        self.optimized = optimized = set(map(id, parameters))
        self.models = [
            entry
            for entry in self.models
            if entry.called or ((model := entry.ref()) is not None and not self.others.alone_train(model, optimized))
        ]
        self._adopt(reachable, optimized)
        loose = frozenset(
            optimized.difference(*(map(id, parameters_of(model, name)) for name, model in self.alive_models()))
        )
        if loose and loose != self._loose:
            # a trainer keeps the model to itself, but the library's own frames hold it (Lightning, before its first
            # forward)
            self._adopt(reachable_from(list(frames.library_scopes(stack))), loose)
        self._loose = loose

    def _adopt(self, reachable: Reachable, optimized: set[int] | frozenset[int]) -> None:
        """Add the modules in sight that hold any of these parameters, copies of them (an average, a target), or what
        was called and has no name (a network whose `forward` is called directly); keep the outermost.
        """
        known = {id(model) for _, model in self.alive_models()}
        nameless = {
            id(model)
            for entry in self.models
            if not entry.name
            and (model := entry.ref()) is not None
            and not wrappers.known_as(model, reachable.names)[1]
        }
        for module in reachable.modules:
            if not (id(module) in known or wrappers.wraps(module, known)) and (
                is_a(module, AveragedModel)
                or any(id(parameter) in optimized for parameter in parameters_in(module))
                or (nameless and id(module) in reachable.names and layout.any_in(module, nameless))
            ):
                self.note_model(module, called=False)
        for module in (module for module in reachable.modules if id(module) in reachable.names):
            models = [model for _, model in self.alive_models()]
            if layout.is_copy(module, models) and not self.others.alone_train(module, optimized):
                self.note_model(module, called=False)
        if all(entry.name for entry in self.models):
            return
        listed = {id(entry.ref()) for entry in self.models if entry.name}
        self.models = [entry for entry in self.models if entry.name or not wrappers.wraps(entry.ref(), listed)]
        everything = [model for _, model in self.alive_models()]
        inner = {id(child) for model in everything for _, child in modules_of(model) if child is not model}
        self.models = [entry for entry in self.models if (model := entry.ref()) is not None and id(model) not in inner]

    def name(self, reachable: Reachable, loop_names: frozenset[str]) -> None:
        """Give unique names to those that have none; where a variable refers to what a wrapper wraps, list that."""
        for entry in self.models:
            model = entry.ref()
            if model is not None and not entry.name:
                listed, name = wrappers.known_as(model, reachable.names)
                entry.ref = weakref.ref(listed)
                self._give(entry, name or type(listed).__name__)
        names = wrappers.names_behind(reachable.optimizers, reachable.names)
        for entry in self.optimizers:
            name = names.get(id(optimizer := entry.ref()))
            if optimizer is not None and (not entry.name or (entry.makeshift and name and name not in loop_names)):
                self._give(entry, name or type(optimizer).__name__)
                entry.makeshift = name is None

    def _give(self, entry: Named, name: str) -> None:
        entry.name = unique(name, {other.name for other in self.named if other is not entry})
