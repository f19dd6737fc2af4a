"""Whose phase it is, by name: of which model, optimizer or loss a breakpoint is."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from functools import partial
from types import FrameType
from typing import Any

import torch
from torch import nn

from stepdbg.protocol.messages import Breakpoint
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.introspect.layout import members_of, modules_of, parameters_in, states_of
from stepdbg.tracer.introspect.plain import key_in_words
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.objects import unwrap
from stepdbg.tracer.objects.module_tensors import parameters_of
from stepdbg.tracer.objects.registry import Registry

OF_LOSSES = frozenset(("loss", "backward"))
"""Phases that are of a loss."""
_PATTERN = frozenset("*?[")


def is_pattern(name: str) -> bool:
    """Whether a name stands for all names that it matches."""
    return not _PATTERN.isdisjoint(name)


def fits(name: str, pattern: str) -> bool:
    """Whether a name is the one that is meant, or one of those. The brackets of `nets[0]` are meant as they stand."""
    return name == pattern or (is_pattern(pattern) and fnmatchcase(name, pattern))


class OwnerNames:
    """The names of models, their parts, parameters and optimizers, as the registry has found them.

    Args:
        registry: Knows what is alive.
        stack: Gives the training thread's frames, innermost first, where names are still to be looked for.
    """

    def __init__(self, registry: Registry, stack: Callable[[FrameType | None], list[FrameType]]) -> None:
        self._registry = registry
        self._stack = stack
        self._looked: weakref.WeakSet[Any] = weakref.WeakSet()
        """Owners that were looked for without a name being found."""
        self.losses: set[str] = set()
        """The names of the losses that a breakpoint has asked for."""
        self._parts: dict[int, tuple[weakref.ref[Any], list[tuple[str, int]], list[str]]] = {}
        """What models and parts of models are called, and by which models that was found."""

    def is_of(self, point: Breakpoint, at: Arrival) -> bool:
        """Whether the phase of that breakpoint is of the owner that the breakpoint names."""
        if not point.of:
            return True
        if point.phase in OF_LOSSES:
            name = at.loss_done if point.when == "after" else self._registry.newest.called_on()
            if name is not None:
                self.losses.add(name)
            return name is not None and fits(name, point.of)
        owner = at.done if point.when == "after" else at.coming
        held = owner() if owner is not None else None
        return held is not None and any(fits(name, point.of) for name in self._names_of(held, at.frame))

    def models(self) -> list[tuple[str, nn.Module]]:
        """All models, by name."""
        return self._registry.models()

    def everything(self) -> Iterator[tuple[str, Any]]:
        """All models and optimizers, by name."""
        yield from self._registry.models()
        yield from ((named.name, one) for named, one in self._registry.optimizers())

    def parameters(self, pattern: str = "") -> Iterator[tuple[str, torch.Tensor]]:
        """The parameters of all models whose name fits, each once; all of them without a pattern."""
        seen: set[int] = set()
        for model, module in self._registry.models():
            for path, parameter in parameters_of(module):
                name = f"{model}.{path}"
                if id(parameter) not in seen and (not pattern or fits(name, pattern)):
                    seen.add(id(parameter))
                    yield name, parameter

    def states(self, pattern: str) -> Iterator[torch.Tensor]:
        """The tensors that optimizers keep whose name fits: `optimizer.state[model.fc1.weight].exp_avg`."""
        owner, _, rest = pattern.partition(".state[")
        parameter, _, key = rest.rpartition("].")
        wanted = {id(tensor) for _, tensor in self.parameters(parameter)}
        for named, optimizer in self._registry.optimizers():
            if fits(named.name, owner):
                for held, state in states_of(optimizer):
                    found = tuple(state.items()) if id(held) in wanted else ()
                    yield from (one for word, one in found if is_a(one, torch.Tensor) and fits(key_in_words(word), key))

    def buffers(self, pattern: str) -> Iterator[torch.Tensor]:
        """The buffers of all models whose name fits."""
        for model, module in self._registry.models():
            for path, part in modules_of(module):
                for key, buffer in members_of(part)[1].items():
                    if buffer is not None and fits(f"{model}.{path}{key}", pattern):
                        yield buffer

    def all_parameters(self) -> list[torch.Tensor]:
        """The parameters of all models, each once."""
        models = [model for _, model in self._registry.models()]
        if len(models) == 1:
            return [*parameters_in(models[0])]
        return [*{id(one): one for model in models for one in parameters_in(model)}.values()]

    def find(self, frame: FrameType | None) -> None:
        """Look for the names that are not known yet, as seen from that frame."""
        registry = self._registry
        if any(not named.name and named.ref() is not None for named in registry.named):
            self._look(frame)

    def _look(self, frame: FrameType | None) -> None:
        """Have the registry find names, unseen by the script's own modes."""
        with Unobserved(), uncollected():
            self._registry.refresh(self._stack(frame))
        self._registry.release()

    def _names_of(self, owner: Any, frame: FrameType | None) -> list[str]:
        """All that the owner is called."""
        self.find(frame)
        found = self._known(owner)
        if not found and owner not in self._looked:
            self._looked.add(owner)
            self._look(frame)
            found = self._known(owner)
        return found

    def _forget(self, owner: int, _: Any) -> None:
        self._parts.pop(owner, None)

    def _known(self, owner: Any) -> list[str]:
        registry = self._registry
        key = [(name, id(model)) for name, model in registry.models()]
        kept = self._parts.get(id(owner))
        if kept is not None and kept[0]() is owner and kept[1] == key:
            return kept[2]
        found, held = list[str](), owner
        while held is not None:
            found += [named.name for named in registry.named if named.ref() is held and named.name]
            held = unwrap.wrapped(held) if is_a(held, nn.Module) else None
        if is_a(owner, nn.Module):
            for name, model in registry.models():
                found += [f"{name}.{path}".rstrip(".") for path, part in modules_of(model) if part is owner and path]
            self._parts[id(owner)] = (weakref.ref(owner, partial(self._forget, id(owner))), key, found)
        return found
