"""What is alive, and what the user calls it: models, parameters, gradients, buffers, optimizers and their state, the
batch, the outputs and the loss.

Sources note what they see, as weak references, so that nothing lives longer for being watched (batches, outputs and
losses: `newest`). Only at a stop are names looked up, in the variables of the user's frames, and everything listed by
name (`refresh`); when training goes on the list is dropped (`release`).
"""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType

import torch
from torch import nn
from torch.optim import Optimizer

from stepdbg.protocol.messages import Census
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import (
    groups_of,
    optimized_by,
    parameters_of_group,
    states_of,
)
from stepdbg.tracer.introspect.plain import key_in_words, plain
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.earlier_graphs import Earlier
from stepdbg.tracer.objects.holders import Holders
from stepdbg.tracer.objects.leaves import Leaves
from stepdbg.tracer.objects.module_tensors import ModuleTensors, ModuleTensorsCache
from stepdbg.tracer.objects.newest import NewestTensors
from stepdbg.tracer.objects.other_threads import OtherThreads, gradients
from stepdbg.tracer.objects.outliving import Named
from stepdbg.tracer.objects.recent import Numbers
from stepdbg.tracer.objects.variable_names import loop_variables, reachable_from
from stepdbg.tracer.objects.versions import ObjectSetVersion

_NOT_OTHERS = ("parameter", "buffer", "grad")
"""Kinds that stay, or hang on those that do."""


@dataclass(slots=True)
class Registry:
    """Everything that is known to be alive."""

    alive: dict[str, Alive] = field(default_factory=dict)
    """Everything alive, by name; filled between `refresh` and `release`."""
    scope: dict[int, str] = field(default_factory=dict)
    """Names of the user's variables, by `id`, between `refresh` and `release`."""
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Further names of tied tensors."""
    earlier: Earlier = field(default_factory=Earlier)
    """Losses and outputs of before."""
    _holders: Holders = field(default_factory=Holders)
    """The models and optimizers."""
    reachable: dict[int, weakref.ref[torch.Tensor]] = field(default_factory=dict)
    """The tensors that the user's variables led to at the last stop."""
    parts: list[nn.Module] = field(default_factory=list)
    """The modules in sight, between `refresh` and `release`."""
    small: dict[str, bytes] = field(default_factory=dict)
    """What small tensors hold, as far as the newest snapshot has read them and there is room, until `release`."""
    all_optimized: bool = False
    """Whether optimizers hold each parameter that is listed, likewise."""
    leaves: Leaves = field(default_factory=Leaves)
    """What is trained by hand."""
    _loose_names: dict[int, str] = field(default_factory=dict)
    """What such were called when they were listed last, by `id`."""
    _loose_numbers: Numbers = field(default_factory=Numbers)
    """What tells one such from another that has got its name."""
    module_tensors: ModuleTensorsCache = field(default_factory=ModuleTensorsCache)
    _tensors_by_model: dict[int, ModuleTensors] = field(default_factory=dict)
    """What each model holds, by its `id`, while everything is being listed."""
    _versions: ObjectSetVersion = field(default_factory=ObjectSetVersion)
    newest: NewestTensors = field(init=False)
    """The newest batch, outputs and loss."""
    _of_models: int = 0
    """The number of objects alive that are the models' own."""

    def __post_init__(self) -> None:
        self.newest = NewestTensors(self.earlier)

    # what the sources note

    def note_model(self, model: nn.Module, *, called: bool = True) -> None:
        """A module was called that no other called, or was found in sight."""
        self._holders.note_model(model, called=called)

    def note_optimizer(self, optimizer: Optimizer) -> Named:
        """An optimizer was made or used; a wrapper counts as what it wraps."""
        return self._holders.note_optimizer(optimizer)

    @property
    def has_optimizers(self) -> bool:
        """Whether an optimizer is there."""
        return any(entry.ref() is not None for entry in self._holders.optimizers)

    def look_for_loss(self, stack: list[FrameType]) -> None:
        """See whether the innermost of these frames holds a loss that `backward` has not been called on yet."""
        self.newest.find_loss(reachable_from(list(frames.scopes(stack))), self.reachable, stack)

    # what a stop asks

    def models(self) -> list[tuple[str, nn.Module]]:
        """The models alive, with their names."""
        return self._holders.alive_models()

    def optimizers(self) -> list[tuple[Named, Optimizer]]:
        """The optimizers alive."""
        return self._holders.alive_optimizers()

    @property
    def named(self) -> tuple[Named, ...]:
        """All models and optimizers that were noted, with their names."""
        return self._holders.named

    @property
    def noted(self) -> int:
        """The number of models and optimizers that were noted."""
        return len(self._holders.models) + len(self._holders.optimizers)

    @property
    def others(self) -> OtherThreads:
        """What threads of the script's own train, beside the thread that is debugged."""
        return self._holders.others

    @property
    def optimized(self) -> set[int]:
        """The `id` of all that optimizers hold, as of the last `refresh`."""
        return self._holders.optimized

    def steps(self) -> dict[int, int]:
        """How often the optimizers that hold a parameter have stepped, by `id` of the parameter."""
        found: dict[int, int] = {}
        for named, optimizer in self.optimizers():
            for parameter in optimized_by(optimizer):
                found[id(parameter)] = found.get(id(parameter), 0) + named.steps
        return found

    def refresh(
        self, stack: list[FrameType], returning: FrameType | None = None, *, pending_backward: bool = False
    ) -> None:
        """List by name everything that is alive, as seen from these frames.

        Args:
            stack: The training thread's frames, innermost first.
            pending_backward: Between a training forward and its backward, where a new loss may have come into being.
            returning: A frame to which a model's output is just being returned: the variable that takes it is not
                bound yet, and its name is read from the frame's code.
        """
        if returning is not None and frames.calling(sys._getframe()) is not returning:
            returning = None  # it is a library's code that takes the output
        spaces = list(frames.scopes(stack))
        self.module_tensors.lent.clear()
        reachable, before = reachable_from(spaces, loop_names := loop_variables(stack)), self.reachable
        self.scope, self.reachable = reachable.names, reachable.tensors
        taken = reachable.variables.union(*(frame.f_code.co_names for frame in stack[:4]))
        self.parts = reachable.modules
        self._holders.find(reachable, stack, lambda model, name: self._tensors_of(model, name).parameters)
        self._holders.name(reachable, loop_names)
        if self.newest.at_backward:
            self.newest.called.see(spaces, self.newest.loss())
        self.newest.find_loss(reachable if pending_backward else None, before, stack)
        self.alive = {}
        self.also = {}
        self._versions.begin()
        self._loose_names = {}
        names = self._list_models()
        self._tensors_by_model, self._of_models = {}, len(self.alive)
        self._list_optimizers(names)
        self.all_optimized = self.optimized >= names.keys()
        if not self.has_optimizers:
            for name, leaf in self.leaves.named(reachable, names, alone=not self._holders.models):
                if name not in self.alive:
                    self._list_loose(leaf, name, "")
        self.newest.list_among(self.alive, self.scope, taken, returning, before)
        self._count_versions()
        self.others.say_so()

    def list_holders(self) -> bool:
        """List what models and optimizers hold, with no look at frames; False where one has no name or none is."""
        if not (self.has_optimizers and all(one.name for one in self.named if one.ref() is not None)):
            return False
        versions, also, self._versions = self._versions, self.also, ObjectSetVersion()
        self.alive, self.scope = {}, self._loose_names
        try:
            self._list_optimizers(self._list_models())
        finally:
            self._versions, self.also = versions, also
        return True

    def _count_versions(self) -> None:
        groups = tuple(
            (entry.name, tuple(len(parameters_of_group(group)) for group in groups_of(optimizer)))
            for entry, optimizer in self.optimizers()
        )
        others = islice(self.alive.items(), self._of_models, None)
        self._versions.end(groups, [(name, entry.kind) for name, entry in others if entry.kind not in _NOT_OTHERS])

    @property
    def version(self) -> int:
        """Grows when what is alive becomes another set of names."""
        return self._versions.version

    @property
    def lasting_version(self) -> int:
        """Grows when parameters and buffers, their dtype, device, whether they are trained, or by whom, change."""
        return self._versions.lasting_version

    def release(self) -> None:
        """Training goes on: keep nothing alive."""
        self.alive = {}
        self.scope = {}
        self._tensors_by_model = {}
        self.parts = []
        self.small = {}

    def forget_names(self) -> None:
        """Training runs on by itself: keep no names either, which are made up once for those who step."""
        self.module_tensors.forget()

    def census(self) -> Census:
        """How much is alive."""
        alive = self.alive.values()
        return self._versions.census(e.tensor for e in alive if e.kind == "parameter" and e.tensor is not None)

    # listing

    def _tensors_of(self, model: nn.Module, name: str) -> ModuleTensors:
        """What the model holds: at first it has no name."""
        known = self._tensors_by_model.get(id(model))
        if known is None or not name:
            known = self.module_tensors.of(model, name, self._lent())
            if name:
                self._tensors_by_model[id(model)] = known
        return known

    def _lent(self) -> dict[int, torch.Tensor] | None:
        """While `functional_call` computes with other tensors in the place of a model's own: what may be its own."""
        if not frames.in_functional_call(sys._getframe()):
            return None
        found = {key: tensor for key, ref in self.reachable.items() if (tensor := ref()) is not None}
        for _, optimizer in self.optimizers():
            found |= {id(parameter): parameter for parameter in optimized_by(optimizer)}
        return found

    def _list_models(self) -> dict[int, str]:
        """Parameters, gradients and buffers of all models; the names of the parameters by `id`."""
        seen: dict[int, str] = {}
        buffered: dict[int, str] = {}
        for model_name, model in self.models():
            tensors = self._tensors_of(model, model_name).besides(seen, buffered)
            for first, others in tensors.also.items():
                self.also[first] = (*self.also.get(first, ()), *others)
            seen.update(zip(map(id, tensors.parameters), tensors.parameter_names, strict=True))
            buffered.update(zip(map(id, tensors.buffers), tensors.buffer_names, strict=True))
            self._list_parameters(tensors.parameters, tensors.parameter_names, tensors.grad_names, model_name)
            for name, buffer in zip(tensors.buffer_names, tensors.buffers, strict=True):
                self.alive[name] = Alive("buffer", buffer, owner=model_name)
            self._versions.note(tensors.buffer_names, tensors.buffers)
        return seen

    def _list_parameters(
        self, parameters: list[torch.Tensor], names: list[str], grad_names: list[str], owner: str
    ) -> None:
        """List them, and the gradients that hang on them."""
        self._versions.note(names, parameters)
        alive = self.alive
        alive.update(
            zip(names, [Alive("parameter", parameter, None, 0, owner) for parameter in parameters], strict=True)
        )
        for grad, name, grad_name in zip(gradients(parameters), names, grad_names, strict=True):
            if grad is not None:
                alive[grad_name] = Alive("grad", grad, None, 0, name)

    def _list_loose(self, parameter: torch.Tensor, name: str, owner: str) -> None:
        """List a trained tensor that is in no model, with its gradient: its name may be another's next time."""
        self._list_parameters([parameter], [name], [f"{name}.grad"], owner)
        self.alive[name] = Alive("parameter", parameter, None, self._loose_numbers.of(parameter), owner)

    def _list_optimizers(self, names: dict[int, str]) -> None:
        alive = self.alive
        for named, optimizer in self.optimizers():
            for index, group in enumerate(groups_of(optimizer)):
                unlisted = [
                    (place, parameter)
                    for place, parameter in enumerate(parameters_of_group(group))
                    if id(parameter) not in names
                ]
                for place, parameter in unlisted:
                    if id(parameter) not in names:
                        name = self.scope.get(id(parameter)) or f"{named.name}.param_groups[{index}]['params'][{place}]"
                        names[id(parameter)] = self._loose_names[id(parameter)] = name
                        self._list_loose(parameter, name, named.name)
                for key, value in group.items():
                    if key != "params":
                        tensor = value if is_a(value, torch.Tensor) else None
                        name = f"{named.name}.param_groups[{index}][{plain(key)}]"
                        alive[name] = Alive("hyperparameter", tensor, value, owner=named.name)
            for parameter, state in states_of(optimizer):
                if id(parameter) not in names:
                    continue
                prefix = f"{named.name}.state[{names[id(parameter)]}]."
                for key, value in tuple(state.items()):
                    if type(value) is torch.Tensor or is_a(value, torch.Tensor):
                        word = key if type(key) is str else key_in_words(key)
                        alive[f"{prefix}{word}"] = Alive("state", value, value, 0, named.name)
                    elif is_a(value, (int, float)):
                        alive[f"{prefix}{key_in_words(key)}"] = Alive("state", None, value, 0, named.name)
