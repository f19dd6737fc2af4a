"""What a model holds, with its names: parameters and buffers, in the order of `named_parameters`.

A name is made once, and stays for as long as the model's modules hold things under the same keys. Whether they do is
seen by a walk over whole levels of the tree of modules, with no step of Python for each tensor. From one stop to the
next only numbers and names are kept, nothing of the model itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate, compress
from typing import NamedTuple

import torch
from torch import nn

from stepdbg.tracer.introspect.layout import members_of, modules_of


class ModuleTensors(NamedTuple):
    """What a model holds just now. A tensor that it holds several times is listed once, by its first name."""

    parameters: list[torch.Tensor]
    parameter_names: list[str]
    grad_names: list[str]
    """The names of the parameters' gradients."""
    buffers: list[torch.Tensor]
    """The module's tensors that are no parameters."""
    buffer_names: list[str]
    also: dict[str, tuple[str, ...]]
    """Further names of tied parameters, by the first one."""

    def besides(self, parameters: Mapping[int, str], buffers: Mapping[int, str]) -> ModuleTensors:
        """The tensors without those that another model has listed; a parameter that it has listed is tied.

        Args:
            parameters: The names of those that are listed, by `id`.
            buffers: The same of buffers.
        """
        new = [id(one) not in parameters for one in self.parameters]
        fresh = [id(one) not in parameters and id(one) not in buffers for one in self.buffers]
        if all(new) and all(fresh):
            return self
        also = dict(self.also)
        for one, name in zip(self.parameters, self.parameter_names, strict=True):
            if (first := parameters.get(id(one))) is not None:
                also[first] = (*also.get(first, ()), name, *also.pop(name, ()))
        return ModuleTensors(
            [*compress(self.parameters, new)],
            [*compress(self.parameter_names, new)],
            [*compress(self.grad_names, new)],
            [*compress(self.buffers, fresh)],
            [*compress(self.buffer_names, fresh)],
            also,
        )


class _Spread(NamedTuple):
    """A model's modules level by level, and what they hold, one after the other."""

    parameters: list[torch.Tensor | None]
    buffers: list[torch.Tensor | None]
    evaluating: list[nn.Module]
    """The modules inside that may be in evaluation mode."""
    children: list[int]
    """How many modules each of them holds."""
    held: list[int]
    """How many parameters each of them has a key for."""
    buffered: list[int]
    child_keys: list[str]
    parameter_keys: list[str]
    buffer_keys: list[str]

    @property
    def shape(self) -> tuple[list[int] | list[str], ...]:
        """All that the names are made up from."""
        return self[3:]


class _Names(NamedTuple):
    """The names of everything that such modules hold, in the order of `named_parameters`, and where that is."""

    shape: tuple[list[int] | list[str], ...]
    """The numbers and keys that the names were made up from."""
    parameters: list[str]
    parameter_places: list[int]
    buffers: list[str]
    buffer_places: list[int]


class _Listed(NamedTuple):
    """The names that are listed while the same tensors hang there, some of them perhaps in several places."""

    tensors: list[int]
    """The `id` of each tensor, place by place."""
    parameters: list[str]
    parameter_places: list[int]
    grads: list[str]
    buffers: list[str]
    buffer_places: list[int]
    also: dict[str, tuple[str, ...]]


class ModuleTensorsCache:
    """The tensors of models, and their names for as long as they hold."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, str], tuple[_Names, _Listed]] = {}
        self._all_in_training: set[int] = set()
        """The models of which no module was in evaluation mode when they were listed last, by their `id`."""
        self.lent: set[str] = set()
        """The models, by name, in which other tensors than their own may have been found for one call."""

    def of(self, model: nn.Module, name: str, lent: Mapping[int, torch.Tensor] | None = None) -> ModuleTensors:
        """What the model of that name holds.

        Args:
            model: The model.
            name: What it is called.
            lent: Where `functional_call` may have put other tensors into it for one call: where its own may be, by
                `id`. They are listed as before, if all are found.
        """
        evaluating = True
        if _has_own_names(model):
            every, buffered = list(parameters_of(model)), list(model.named_buffers(remove_duplicate=False))
            parameters: list[torch.Tensor | None] = [tensor for _, tensor in every]
            buffers: list[torch.Tensor | None] = [tensor for _, tensor in buffered]
            listed = _listed(
                _Names(
                    (),
                    [f"{name}.{path}" for path, _ in every],
                    list(range(len(every))),
                    [f"{name}.{path}" for path, _ in buffered],
                    list(range(len(buffered))),
                ),
                [*map(id, parameters), *map(id, buffers)],
                len(parameters),
            )
        else:
            spread = _spread(model)
            own = lent is None or self._put_back(spread, self._known.get((id(model), name)), lent)
            if not own:
                self.lent.add(name)
            parameters, buffers, evaluating = spread.parameters, spread.buffers, bool(spread.evaluating)
            listed = self._names_of(model, name, spread, keep=own)
        (self._all_in_training.discard if evaluating else self._all_in_training.add)(id(model))
        return ModuleTensors(
            [parameters[place] for place in listed.parameter_places],  # type: ignore[misc]
            listed.parameters,
            listed.grads,
            [buffers[place] for place in listed.buffer_places],  # type: ignore[misc]
            listed.buffers,
            listed.also,
        )

    def may_evaluate(self, model: nn.Module) -> bool:
        """Whether a module of it may be in evaluation mode, as of the last listing."""
        return id(model) not in self._all_in_training

    def forget(self) -> None:
        """Nobody steps any more: keep no names."""
        self._known = {}

    @staticmethod
    def _put_back(spread: _Spread, known: tuple[_Names, _Listed] | None, lent: Mapping[int, torch.Tensor]) -> bool:
        """Put the model's own tensors, as they were listed last, where others stand for one call; whether all are
        found.
        """
        if known is None or known[0].shape != spread.shape:
            return False
        there = [*spread.parameters, *spread.buffers]
        own = [
            one if id(one) == before else lent.get(before) for one, before in zip(there, known[1].tensors, strict=True)
        ]
        found = all(one is not None or there[place] is None for place, one in enumerate(own))
        if found:
            spread.parameters[:], spread.buffers[:] = own[: len(spread.parameters)], own[len(spread.parameters) :]
        return found

    def _names_of(self, model: nn.Module, name: str, spread: _Spread, *, keep: bool) -> _Listed:
        names, listed = self._known.get((id(model), name), (None, None))
        if names is None or names.shape != spread.shape:
            names, listed = _named(name, spread), None
        tensors = [*map(id, spread.parameters), *map(id, spread.buffers)]
        if listed is None or listed.tensors != tensors:
            listed = _listed(names, tensors, len(spread.parameters))
        if keep:
            self._known[id(model), name] = (names, listed)
        return listed


def parameters_of(model: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters as torch's `named_parameters(remove_duplicate=False)` lists them, in a third of its time."""
    if _has_own_names(model):
        yield from model.named_parameters(remove_duplicate=False)
        return
    for prefix, module in modules_of(model):
        for key, parameter in members_of(module)[0].items():
            if parameter is not None:
                yield prefix + key, parameter


def _has_own_names(model: nn.Module) -> bool:
    """FSDP has. A user's override is not asked: what it does is the user's, and may be anything."""
    for method in (type(model).named_parameters, type(model).named_buffers):
        if getattr(method, "__module__", "").startswith("torch.distributed."):
            return True
    return False


def _spread(model: nn.Module) -> _Spread:
    """A walk over whole levels; whether a module is met a second time is asked once for each."""
    spread = _Spread([], [], [], [], [], [], [], [], [])
    parameters, buffers, evaluating, children, held, buffered, child_keys, parameter_keys, buffer_keys = spread
    attributes_of = object.__getattribute__
    level, seen = [model], {id(model)}
    try:
        while level:
            below: list[nn.Module] = []
            for module in level:
                attributes = attributes_of(module, "__dict__")
                before = len(below)
                if inside := attributes["_modules"]:
                    for key, child in inside.items():
                        if child is not None:
                            child_keys.append(key)
                            below.append(child)
                children.append(len(below) - before)
                if own := attributes["_parameters"]:
                    parameter_keys += own
                    parameters += own.values()
                held.append(len(own))
                if others := attributes["_buffers"]:
                    buffer_keys += others
                    buffers += others.values()
                buffered.append(len(others))
                if attributes["training"] is not True:
                    evaluating.append(module)
            met = set(map(id, below))
            if len(met) < len(below) or not seen.isdisjoint(met):
                return _spread_with_care(model)
            seen |= met
            level = below
    except (AttributeError, KeyError, TypeError):
        return _spread_with_care(model)
    return spread


def _spread_with_care(model: nn.Module) -> _Spread:
    """The spread of a model in which a module is met several times, or is none of the usual ones.

    (A ScriptModule's dictionaries have a length, keys and values, and nothing else.)
    """
    spread = _Spread([], [], [], [], [], [], [], [], [])
    parameters, buffers, evaluating, children, held, buffered, child_keys, parameter_keys, buffer_keys = spread
    modules, parents, seen = [model], [-1], {id(model)}
    for place, module in enumerate(modules):  # which grows meanwhile, level by level
        own, others, inside = members_of(module)
        evaluating.append(module)
        before = len(modules)
        if len(inside):
            for key, child in inside.items():
                if child is None:
                    continue
                if id(child) not in seen:
                    seen.add(id(child))
                elif _is_above(child, place, modules, parents):
                    continue
                child_keys.append(key)
                modules.append(child)
                parents.append(place)
        children.append(len(modules) - before)
        if count := len(own):
            parameter_keys += own.keys()
            parameters += own.values()
        held.append(count)
        if count := len(others):
            buffer_keys += others.keys()
            buffers += others.values()
        buffered.append(count)
    return spread


def _is_above(module: nn.Module, place: int, modules: list[nn.Module], parents: list[int]) -> bool:
    """Whether that module is the one of that place or holds it: one that holds itself is listed once."""
    while place >= 0:
        if modules[place] is module:
            return True
        place = parents[place]
    return False


def _named(name: str, spread: _Spread) -> _Names:
    first_child = [*accumulate(spread.children, initial=1)]
    """The number of each module's first child; modules are numbered level by level."""
    prefixes = [f"{name}."]
    for parent, count in enumerate(spread.children):
        first = first_child[parent]
        prefixes += [f"{prefixes[parent]}{key}." for key in spread.child_keys[first - 1 : first - 1 + count]]
    order: list[int] = []
    ahead = [0]
    while ahead:
        order.append(module := ahead.pop())
        ahead += range(first_child[module] + spread.children[module] - 1, first_child[module] - 1, -1)

    def listed(counts: list[int], keys: list[str]) -> tuple[list[str], list[int]]:
        starts = [*accumulate(counts, initial=0)]
        places = [(module, place) for module in order for place in range(starts[module], starts[module + 1])]
        return [prefixes[module] + keys[place] for module, place in places], [place for _, place in places]

    parameters, parameter_places = listed(spread.held, spread.parameter_keys)
    buffers, buffer_places = listed(spread.buffered, spread.buffer_keys)
    return _Names(spread.shape, parameters, parameter_places, buffers, buffer_places)


def _listed(names: _Names, tensors: list[int], parameters: int) -> _Listed:
    """Each tensor once; `None` not at all.

    Args:
        names: Of all places.
        tensors: The `id` of what is there.
        parameters: So many of the places are those of parameters.
    """
    nothing = id(None)
    first: dict[int, str] = {}
    also: dict[str, tuple[str, ...]] = {}

    def once(
        all_names: list[str], places: list[int], before: int
    ) -> tuple[list[str], list[int], list[tuple[str, str]]]:
        found: list[str] = []
        where: list[int] = []
        again: list[tuple[str, str]] = []
        for name, place in zip(all_names, places, strict=True):
            if (tensor := tensors[before + place]) == nothing:
                continue
            if (known := first.setdefault(tensor, name)) is name:
                found.append(name)
                where.append(place)
            else:
                again.append((known, name))
        return found, where, again

    parameter_names, parameter_places, tied = once(names.parameters, names.parameter_places, 0)
    for known, name in tied:
        also[known] = (*also.get(known, ()), name)
    buffer_names, buffer_places, _ = once(names.buffers, names.buffer_places, parameters)
    grads = [f"{name}.grad" for name in parameter_names]
    return _Listed(tensors, parameter_names, parameter_places, grads, buffer_names, buffer_places, also)
