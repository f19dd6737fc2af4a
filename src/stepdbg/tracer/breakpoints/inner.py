"""Breakpoints within a phase: the modules and the parameters that they name, by what is alive just now.

`forward of model.fc1` names a module within a model; where the name is a whole model's, or the pattern fits one, the
breakpoint is at that model's phase. `gradient of model.fc1.weight` names a parameter. What is named is looked up anew
at each phase that may hold some of it, so that what has taken another's place is found: a name by its path, a pattern
by a walk through the models.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from types import FrameType
from typing import Any, NamedTuple

import torch
from torch import nn

from stepdbg.listing.nearest import did_you_mean
from stepdbg.protocol.breakpoint_text import is_gradient
from stepdbg.protocol.messages import Breakpoint
from stepdbg.tracer.breakpoints.owners import OwnerNames, fits, is_pattern
from stepdbg.tracer.introspect.layout import child_of, is_compiled, members_of, modules_of

LEARNED = 3
"""From this update on, the phases of two whole ones are known, and the models."""
OF_MODULES = frozenset(("forward", "eval"))
"""Phases that are a model's call."""


class Named(NamedTuple):
    """A module or a parameter that breakpoints name."""

    ref: weakref.ref[Any]
    name: str
    points: tuple[Breakpoint, ...]
    hidden: bool = False
    """Whether the module lies in what `torch.compile` has compiled, which is one call."""


class InnerPoints:
    """The breakpoints of this process within a phase.

    Args:
        owners: Know the models by name.
    """

    def __init__(self, owners: OwnerNames) -> None:
        self._owners = owners
        self._of_modules: tuple[Breakpoint, ...] = ()
        """Those that name a module or, as it may turn out, a whole model."""
        self._of_gradients: tuple[Breakpoint, ...] = ()
        self.phases: frozenset[str] = frozenset()
        """The phases that may hold any."""
        self._verdicts: tuple[Any, dict[str, bool]] = (None, {})
        """Which names are of modules within a model, and the models that this was told by."""

    @property
    def any(self) -> bool:
        """Whether there is any."""
        return bool(self.phases)

    def hold(self, points: Iterable[Breakpoint]) -> None:
        """Those of these breakpoints that are within a phase hold from now on."""
        points = [point for point in points if point.enabled and point.of]
        self._of_modules = tuple(point for point in points if point.phase in OF_MODULES)
        self._of_gradients = tuple(point for point in points if is_gradient(point.phase, point.of))
        phases = {point.phase for point in self._of_modules if point.phase is not None}
        self.phases = frozenset(phases | ({"backward"} if self._of_gradients else set()))
        self._verdicts = (None, {})

    def may_name_module(self, point: Breakpoint) -> bool:
        """Whether that breakpoint is on a model's call, or on that of a module within one."""
        return bool(point.of) and point.phase in OF_MODULES

    def names_module(self, point: Breakpoint) -> bool:
        """Whether that breakpoint is on modules within a model, and on no whole model, by the models known now."""
        if not self.may_name_module(point):
            return False
        models = self._owners.models()
        key = [(name, id(model)) for name, model in models]
        if self._verdicts[0] != key:
            self._verdicts = (key, {})
        found = self._verdicts[1]
        if point.of not in found:
            found[point.of] = not _is_of_model(point, models) and any(True for _ in self._named(point.of, models))
        return found[point.of]

    def modules(self, phase: str, frame: FrameType | None) -> dict[int, Named]:
        """The modules within models that breakpoints name in that phase, by `id`."""
        self._owners.find(frame)
        models = self._owners.models()
        found: dict[int, Named] = {}
        for point in self._of_modules:
            if point.phase == phase and not _is_of_model(point, models):
                for name, module, hidden in self._named(point.of, models):
                    _add(found, module, name, point, hidden=hidden)
        return found

    def parameters(self, frame: FrameType | None) -> dict[int, Named]:
        """The parameters on whose gradients breakpoints are, by `id`."""
        self._owners.find(frame)
        models = self._owners.models()
        found: dict[int, Named] = {}
        for point in self._of_gradients:
            for name, parameter in parameters_named(point.of, models):
                _add(found, parameter, name, point)
        return found

    def of(self, phase: str) -> list[Breakpoint]:
        """The breakpoints that may be within that phase; `gradient` for those on gradients."""
        return [point for point in (*self._of_modules, *self._of_gradients) if point.phase == phase]

    def unknown(self, point: Breakpoint) -> str:
        """That nothing is called as such a breakpoint says, with the nearest name; empty where something is."""
        models = self._owners.models()
        if not is_gradient(point.phase, point.of) and _is_of_model(point, models):
            return ""
        names = [*(name for name, _ in models), *self.names(point)]
        return "" if any(fits(name, point.of) for name in names) else not_met(point.of, names)

    def names(self, point: Breakpoint) -> Iterator[str]:
        """The names of all that such a breakpoint may be on: parameters, or modules within models."""
        models = self._owners.models()
        if is_gradient(point.phase, point.of):
            yield from (name for name, _ in parameters_named("", models))
        elif not _is_of_model(point, models):
            yield from (name for name, *_ in self._named("", models))

    def _named(self, pattern: str, models: list[tuple[str, nn.Module]]) -> Iterator[tuple[str, nn.Module, bool]]:
        """The modules within these models that a name or a pattern fits, each with whether it lies in what is compiled;
        all of them without a pattern.
        """
        if pattern and not is_pattern(pattern):
            for model, module in models:
                if model and pattern.startswith(f"{model}."):
                    found, hidden = _at(module, pattern[len(model) + 1 :])
                    if found is not None:
                        yield pattern, found, hidden
            return
        for model, module in models:
            compiled: list[str] = []
            for path, part in modules_of(module):
                if path and (not pattern or fits(f"{model}.{path}"[:-1], pattern)):
                    yield f"{model}.{path}"[:-1], part, path.startswith(tuple(compiled))
                if is_compiled(part):
                    compiled.append(path)


def not_met(name: str, names: Iterable[str]) -> str:
    """That nothing is called so yet, with the nearest of these names."""
    return f"nothing is called {name} yet{did_you_mean(name, names)}"


def parameters_named(pattern: str, models: list[tuple[str, nn.Module]]) -> Iterator[tuple[str, torch.Tensor]]:
    """The parameters of these models that a name or a pattern fits; all of them without one."""
    if pattern and not is_pattern(pattern):
        for model, module in models:
            if model and pattern.startswith(f"{model}."):
                path, _, key = pattern[len(model) + 1 :].rpartition(".")
                holder = _at(module, path)[0] if path else module
                tensor = members_of(holder)[0].get(key) if holder is not None else None
                if tensor is not None:
                    yield pattern, tensor
        return
    for model, module in models:
        for path, part in modules_of(module):
            for key, tensor in members_of(part)[0].items():
                name = f"{model}.{path}{key}"
                if tensor is not None and (not pattern or fits(name, pattern)):
                    yield name, tensor


def _at(module: nn.Module, path: str) -> tuple[nn.Module | None, bool]:
    """The module at that path within another, and whether it lies in what is compiled; None where there is none."""
    found: nn.Module | None = module
    hidden = False
    for key in path.split("."):
        if found is None:
            break
        hidden = hidden or is_compiled(found)
        found = child_of(found, key)
    return found, hidden


def _is_of_model(point: Breakpoint, models: list[tuple[str, nn.Module]]) -> bool:
    return any(name and fits(name, point.of) for name, _ in models)


def _add(found: dict[int, Named], one: Any, name: str, point: Breakpoint, *, hidden: bool = False) -> None:
    before = found.get(id(one))
    if before is None:
        found[id(one)] = Named(weakref.ref(one), name, (point,), hidden)
    elif point not in before.points:
        found[id(one)] = before._replace(points=(*before.points, point))
