"""What is alive, and what the user calls it: models, parameters, gradients, buffers, optimizers and their state, the
batch, the outputs and the loss.

Sources note what they see, as weak references, so that nothing lives longer for being watched. Only at a stop are
names looked up, in the variables of the user's frames, and everything listed by name (`refresh`); when training goes on
the list is dropped (`release`).
"""

from __future__ import annotations

import dis
import weakref
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from types import FrameType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from stepdbg.protocol.messages import Census, Kind
from stepdbg.tracer import frames

_FEW = 64
"""So many entries of a container are looked into for names."""


@dataclass(frozen=True, slots=True)
class Alive:
    """One object by its name."""

    kind: Kind
    tensor: torch.Tensor | None
    value: object = None
    """What it holds, where it is no tensor."""
    serial: int = 0
    """Tells one batch, output or loss from the next."""
    owner: str = ""
    """The parameter of a gradient, the optimizer of a state entry or hyperparameter, the model of a parameter."""


@dataclass(slots=True)
class Named:
    """A model or an optimizer, and its name once one was found."""

    ref: weakref.ref[Any]
    name: str = ""
    found: bool = False
    """True where the name is a variable's, not made from the class."""
    steps: int = 0


@dataclass(slots=True)
class Slot:
    """A batch, output or loss that a source has seen."""

    kind: Kind
    ref: weakref.ref[torch.Tensor]
    name: str
    serial: int


@dataclass(slots=True)
class Registry:
    """Everything that is known to be alive."""

    version: int = 0
    alive: dict[str, Alive] = field(default_factory=dict)
    """By name, filled between `refresh` and `release`."""
    scope: dict[int, str] = field(default_factory=dict)
    """Names of the user's variables, by `id`, between `refresh` and `release`."""
    also: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Further names of tied tensors."""
    _models: list[Named] = field(default_factory=list)
    _optimizers: list[Named] = field(default_factory=list)
    _slots: dict[str, list[Slot]] = field(default_factory=dict)
    _learned: dict[tuple[str, int], str] = field(default_factory=dict)
    _serial: int = 0
    _signature: int = 0

    # what the sources note

    def note_model(self, model: nn.Module) -> None:
        """A module was called that no other called."""
        if not any(entry.ref() is model for entry in self._models):
            self._models.append(Named(weakref.ref(model)))

    def note_optimizer(self, optimizer: Optimizer) -> Named:
        """An optimizer was made or used."""
        for entry in self._optimizers:
            if entry.ref() is optimizer:
                return entry
        entry = Named(weakref.ref(optimizer))
        self._optimizers.append(entry)
        return entry

    def note(self, kind: Kind, value: object, names: tuple[str, ...] = ()) -> None:
        """A batch, an output or a loss has come into being; it takes the place of the one before."""
        self._serial += 1
        if isinstance(value, torch.Tensor):
            self._slots[kind] = [Slot(kind, weakref.ref(value), names[0] if names else "", self._serial)]
            return
        tensors = list(tensors_in(value))
        self._slots[kind] = [
            Slot(kind, weakref.ref(tensor), names[place] if place < len(names) else "", self._serial)
            for place, (_, tensor) in enumerate(tensors[:_FEW])
        ]

    def add_loss(self, tensor: torch.Tensor, name: str) -> None:
        """`backward` is called on that tensor."""
        slots = self._slots.get("loss")
        if slots is None or slots[0].ref() is not tensor:
            self.note("loss", tensor, (name,))

    def is_newest(self, kind: Kind, tensor: torch.Tensor) -> bool:
        """Whether that very tensor is among the newest noted of its kind."""
        return any(slot.ref() is tensor for slot in self._slots.get(kind, ()))

    def look_for_loss(self, stack: list[FrameType]) -> None:
        """See whether the innermost of these frames holds a loss that `backward` has not been called on yet."""
        self._find_loss(list(islice(frames.scopes(stack), 1)))

    def newest_loss(self) -> torch.Tensor | None:
        """The loss noted last, if it is still there."""
        slots = self._slots.get("loss")
        return slots[0].ref() if slots else None

    # what a stop asks

    def models(self) -> list[tuple[str, nn.Module]]:
        """Those alive, with their names."""
        return [(entry.name, model) for entry in self._models if (model := entry.ref()) is not None]

    def optimizers(self) -> list[tuple[Named, Optimizer]]:
        """Those alive."""
        return [(entry, optimizer) for entry in self._optimizers if (optimizer := entry.ref()) is not None]

    def refresh(self, stack: list[FrameType], returning: FrameType | None = None) -> None:
        """List by name everything that is alive, as seen from these frames.

        Args:
            stack: The training thread's frames, innermost first.
            returning: A frame to which a model's output is just being returned: the variable that takes it is not
                bound yet, and its name is read from the frame's code.
        """
        spaces = list(frames.scopes(stack))
        self.scope = names_in(spaces)
        self._find_models(spaces)
        self._name()
        self._find_loss(spaces)
        self.alive = {}
        self.also = {}
        self._list_models()
        self._list_optimizers()
        self._list_slots(returning)
        signature = hash(tuple((name, entry.kind) for name, entry in self.alive.items() if entry.kind not in ("grad",)))
        if signature != self._signature:
            self._signature = signature
            self.version += 1

    def release(self) -> None:
        """Training goes on: keep nothing alive."""
        self.alive = {}
        self.scope = {}

    def census(self) -> Census:
        """How much is alive."""
        parameters = [entry for entry in self.alive.values() if entry.kind == "parameter"]
        tensors = [entry.tensor for entry in parameters if entry.tensor is not None]
        return Census(
            device=", ".join(sorted({str(tensor.device) for tensor in tensors})) or "cpu",
            parameters=len(tensors),
            elements=sum(tensor.numel() for tensor in tensors),
            bytes=sum(tensor.numel() * tensor.element_size() for tensor in tensors),
        )

    def loss_name(self) -> str | None:
        """What the newest loss is called."""
        slots = self._slots.get("loss")
        return slots[0].name or None if slots else None

    # finding

    def _find_models(self, spaces: Sequence[Mapping[str, Any]]) -> None:
        """Optimizers and models among the user's variables: a model is what holds parameters of an optimizer."""
        modules: list[nn.Module] = []
        for value in objects_in(spaces):
            if isinstance(value, Optimizer):
                self.note_optimizer(value)
            elif isinstance(value, nn.Module):
                modules.append(value)
        held = {
            id(parameter)
            for _, optimizer in self.optimizers()
            for group in optimizer.param_groups
            for parameter in group["params"]
        }
        known = [model for _, model in self.models()]
        fresh = [
            module
            for module in modules
            if not any(module is model for model in known)
            and any(id(parameter) in held for parameter in module.parameters())
        ]
        for module in fresh:
            self.note_model(module)
        everything = [model for _, model in self.models()]
        inner = {id(child) for model in everything for child in model.modules() if child is not model}
        self._models = [
            entry for entry in self._models if (model := entry.ref()) is not None and id(model) not in inner
        ]
        self._optimizers = [entry for entry in self._optimizers if entry.ref() is not None]

    def _name(self) -> None:
        for entries in (self._models, self._optimizers):
            for entry in entries:
                value = entry.ref()
                if entry.found or value is None:
                    continue
                name = self.scope.get(id(value))
                if name is not None or not entry.name:
                    others = {other.name for other in (*self._models, *self._optimizers) if other is not entry}
                    entry.name, entry.found = unique(name or type(value).__name__, others), name is not None

    def _find_loss(self, spaces: Sequence[Mapping[str, Any]]) -> None:
        """In a generator loop the loss is known before `backward` is called: a number in the frame, with a graph."""
        if not spaces:
            return
        candidates = {
            name: value
            for name, value in spaces[0].items()
            if isinstance(value, torch.Tensor) and value.numel() == 1 and value.grad_fn is not None
        }
        if not candidates:
            return
        known = self._learned.get(("loss", 0), "loss")
        likely = [name for name in candidates if name == known or "loss" in name.lower()] or list(candidates)
        name = known if known in candidates else likely[0]
        if known in candidates or len(likely) == 1:
            self.add_loss(candidates[name], name)

    # listing

    def _list_models(self) -> None:
        seen: dict[int, str] = {}
        for model_name, model in self.models():
            for path, parameter in model.named_parameters(remove_duplicate=False):
                name = f"{model_name}.{path}"
                if id(parameter) in seen:
                    first = seen[id(parameter)]
                    self.also[first] = (*self.also.get(first, ()), name)
                    continue
                seen[id(parameter)] = name
                self._list_parameter(name, parameter, model_name)
            for path, buffer in model.named_buffers():
                if id(buffer) not in seen:
                    seen[id(buffer)] = f"{model_name}.{path}"
                    self.alive[f"{model_name}.{path}"] = Alive("buffer", buffer, owner=model_name)

    def _list_parameter(self, name: str, parameter: torch.Tensor, owner: str) -> None:
        self.alive[name] = Alive("parameter", parameter, owner=owner)
        if parameter.grad is not None:
            self.alive[f"{name}.grad"] = Alive("grad", parameter.grad, owner=name)

    def _list_optimizers(self) -> None:
        names = {id(entry.tensor): name for name, entry in self.alive.items() if entry.kind == "parameter"}
        for named, optimizer in self.optimizers():
            for index, group in enumerate(optimizer.param_groups):
                for place, parameter in enumerate(group["params"]):
                    if id(parameter) not in names:
                        name = self.scope.get(id(parameter)) or f"{named.name}.param_groups[{index}]['params'][{place}]"
                        names[id(parameter)] = name
                        self._list_parameter(name, parameter, named.name)
                for key, value in group.items():
                    if key != "params":
                        tensor = value if isinstance(value, torch.Tensor) else None
                        name = f"{named.name}.param_groups[{index}][{key!r}]"
                        self.alive[name] = Alive("hyperparameter", tensor, value, owner=named.name)
            for parameter, state in optimizer.state.items():
                if not isinstance(state, dict) or id(parameter) not in names:
                    continue
                for key, value in state.items():
                    tensor = value if isinstance(value, torch.Tensor) else None
                    name = f"{named.name}.state[{names[id(parameter)]}].{key}"
                    if tensor is not None or isinstance(value, (int, float)):
                        self.alive[name] = Alive("state", tensor, value, owner=named.name)

    def _list_slots(self, returning: FrameType | None) -> None:
        for kind in ("batch", "output", "loss"):
            slots = [slot for slot in self._slots.get(kind, ()) if slot.ref() is not None]
            taken = set(self.alive)
            for place, slot in enumerate(slots):
                tensor = slot.ref()
                found = self.scope.get(id(tensor)) if tensor is not None else None
                if found is None and kind == "output" and returning is not None and len(slots) == 1:
                    found = assigned_name(returning)
                if found is not None:
                    slot.name = found
                    self._learned[kind, place] = found
                elif not slot.name:
                    default = kind if len(slots) == 1 else f"{kind}[{place}]"
                    slot.name = self._learned.get((kind, place), default)
                name = slot.name = unique(slot.name, taken)
                taken.add(name)
                self.alive[name] = Alive(slot.kind, tensor, serial=slot.serial)


def tensors_in(value: object, path: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    """The tensors in a nest of tuples, lists and dictionaries, with their paths (`[0]`, `['mask']`)."""
    if isinstance(value, torch.Tensor):
        yield path, value
    elif depth > 4:
        return
    elif isinstance(value, Mapping):
        for key, item in list(value.items())[:_FEW]:
            yield from tensors_in(item, f"{path}[{key!r}]", depth + 1)
    elif isinstance(value, (tuple, list)):
        for place, item in enumerate(value[:_FEW]):
            yield from tensors_in(item, f"{path}[{place}]", depth + 1)


def names_in(spaces: Sequence[Mapping[str, Any]]) -> dict[int, str]:
    """What the user calls their models, optimizers and tensors, by `id`; the innermost variable wins.

    Variables come first, then entries of containers, then attributes of objects (`self.model`).
    """
    found: dict[int, str] = {}
    interesting = (nn.Module, Optimizer, torch.Tensor)
    for space in spaces:
        for name, value in list(space.items()):
            if isinstance(value, interesting) and not name.startswith("_"):
                found.setdefault(id(value), name)
        for name, value in list(space.items()):
            if name.startswith("_") or isinstance(value, (*interesting, ModuleType, type)):
                continue
            if isinstance(value, (tuple, list)):
                for place, item in enumerate(value[:_FEW]):
                    if isinstance(item, interesting):
                        found.setdefault(id(item), f"{name}[{place}]")
            elif isinstance(value, dict):
                for key, item in list(value.items())[:_FEW]:
                    if isinstance(item, interesting):
                        found.setdefault(id(item), f"{name}[{key!r}]")
            else:
                for key, item in attributes_of(value):
                    if isinstance(item, interesting):
                        found.setdefault(id(item), f"{name}.{key}")
    return found


def objects_in(spaces: Sequence[Mapping[str, Any]]) -> Iterator[object]:
    """The models and optimizers among the user's variables, in containers and attributes one level down too."""
    wanted = (nn.Module, Optimizer)
    for space in spaces:
        for name, value in list(space.items()):
            if name.startswith("_") or isinstance(value, (ModuleType, type, torch.Tensor)):
                continue
            if isinstance(value, wanted):
                yield value
            elif isinstance(value, (tuple, list)):
                yield from (item for item in value[:_FEW] if isinstance(item, wanted))
            elif isinstance(value, dict):
                yield from (item for item in list(value.values())[:_FEW] if isinstance(item, wanted))
            else:
                yield from (item for _, item in attributes_of(value) if isinstance(item, wanted))


def attributes_of(value: object) -> list[tuple[str, object]]:
    """The first attributes of an object of the user's own making, read without running any code of its."""
    if type(value).__module__ == "builtins":
        return []
    try:
        attributes = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return []
    return list(attributes.items())[:_FEW] if isinstance(attributes, dict) else []


def assigned_name(frame: FrameType) -> str | None:
    """The variable that takes the value of the call which the frame is in: `y_hat` in `y_hat = model(x)`."""
    for instruction in dis.get_instructions(frame.f_code):
        if instruction.offset > frame.f_lasti and instruction.opname not in ("CACHE", "EXTENDED_ARG"):
            stores = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
            return instruction.argval if instruction.opname in stores else None
    return None


def unique(name: str, taken: set[str]) -> str:
    """The name, with a number if it is taken: `Net_2`."""
    if name not in taken:
        return name
    number = 2
    while f"{name}_{number}" in taken:
        number += 1
    return f"{name}_{number}"
