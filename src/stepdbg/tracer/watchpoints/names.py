"""What the name of a watchpoint leads to, as the screen calls it: what models and optimizers hold, or a variable.

A name is looked up once. What it has led to is a place (a module's dictionary, an optimizer's state, a variable of a
function), which is read anew at each look, so that a tensor that takes another's place is seen. Nothing of the user's
runs for it, and nothing lives longer for being watched.
"""

from __future__ import annotations

import inspect
import re
import weakref
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType, FrameType
from typing import Any, Protocol

import torch
from torch import nn

from stepdbg.tracer.introspect.layout import child_of, groups_of, members_of, modules_of, states_of
from stepdbg.tracer.introspect.plain import key_in_words, number_of
from stepdbg.tracer.introspect.safe_access import entries_of, is_a
from stepdbg.tracer.introspect.stack import local_variables, origin
from stepdbg.tracer.objects.module_tensors import parameters_of
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry

_STATE = re.compile(r"(?P<optimizer>.+?)\.state\[(?P<parameter>.+)\]\.(?P<key>[^\]]+)\Z")
_GROUP = re.compile(r"(?P<optimizer>.+?)\.param_groups\[(?P<group>\d+)\]\[(?P<key>.+)\]\Z")
_STEP = re.compile(r"\.[^\W\d]\w*|\.\d+|\[-?\d+\]|\[\"[^\"]*\"\]|\['[^']*'\]")


class _Absent:
    """Stands for what is not in sight just now."""


ABSENT = _Absent()
"""The place of a name cannot be read here: its function is not running, its model is gone."""


class Place(Protocol):
    """Where a value is kept."""

    comes_from_phases: bool
    """Whether it is a phase's doing when a value comes to be there: a gradient's, an entry of a state."""

    def value(self, frame: FrameType | None) -> Any:
        """What is there now: a tensor, a number, None where there is none, `ABSENT` where that cannot be told."""


class Member:
    """A parameter or a buffer of a model, or its gradient.

    Args:
        model: The model.
        path: The keys of the modules that lead to it.
        key: Its key in the last of them.
        grad: Its gradient is meant.
    """

    def __init__(self, model: nn.Module, path: tuple[str, ...], key: str, *, grad: bool) -> None:
        self.model = weakref.ref(model)
        self.path, self.key, self.grad = path, key, grad
        self.comes_from_phases = grad

    def value(self, frame: FrameType | None) -> Any:
        """The tensor; None where there is none, as of a gradient that has not come yet."""
        module: Any = self.model()
        if module is None:
            return ABSENT
        for key in self.path:
            module = child_of(module, key)
            if module is None:
                return ABSENT
        parameters, buffers, _ = members_of(module)
        found = parameters.get(self.key)
        if found is None:
            found = buffers.get(self.key)
        return _gradient(found) if self.grad and found is not None else found


class Held:
    """A tensor by itself, or its gradient: a parameter that is in no module's own dictionary."""

    def __init__(self, tensor: torch.Tensor, *, grad: bool) -> None:
        self._tensor, self._grad = weakref.ref(tensor), grad
        self.comes_from_phases = grad

    def value(self, frame: FrameType | None) -> Any:
        """The tensor, or what its gradient is."""
        tensor = self._tensor()
        return ABSENT if tensor is None else _gradient(tensor) if self._grad else tensor


class Entry:
    """An entry of an optimizer's state."""

    comes_from_phases = True

    def __init__(self, optimizer: Any, parameter: Place, key: str) -> None:
        self._optimizer, self._parameter, self._key = weakref.ref(optimizer), parameter, key

    def value(self, frame: FrameType | None) -> Any:
        """The tensor or the number; None where the optimizer has made none yet."""
        optimizer, parameter = self._optimizer(), self._parameter.value(frame)
        if optimizer is None or parameter is ABSENT:
            return ABSENT
        for one, state in states_of(optimizer):
            if one is parameter:
                return state[self._key] if self._key in state else _by_words(state, self._key)
        return None


class Hyperparameter:
    """A value of a parameter group."""

    comes_from_phases = False

    def __init__(self, optimizer: Any, group: int, key: str) -> None:
        self._optimizer, self._group, self._key = weakref.ref(optimizer), group, key

    def value(self, frame: FrameType | None) -> Any:
        """The value."""
        optimizer = self._optimizer()
        groups = groups_of(optimizer) if optimizer is not None else []
        return groups[self._group].get(self._key) if self._group < len(groups) else ABSENT


class Variable:
    """What a variable of the script's, or an expression that begins with one, leads to.

    Args:
        first: The variable.
        steps: What follows on it: `.weight`, `[0]`, `["x"]`.
        code: The function whose variable it is; None for a module's.
        space: The variables of that module.
    """

    comes_from_phases = False

    def __init__(self, first: str, steps: tuple[str, ...], code: CodeType | None, space: dict[str, Any]) -> None:
        self._first, self._steps, self._code, self._space = first, steps, code, space

    def value(self, frame: FrameType | None) -> Any:
        """What it leads to, in the innermost running call of its function."""
        found = self._space.get(self._first, ABSENT) if self._code is None else self._local(frame)
        for step in self._steps:
            found = _after(found, step)
            if found is ABSENT:
                break
        return found

    def _local(self, frame: FrameType | None) -> Any:
        while frame is not None:
            if frame.f_code is self._code:
                return local_variables(frame).get(self._first, ABSENT)
            frame = frame.f_back
        return ABSENT


def is_pattern(name: str) -> bool:
    """Whether a name stands for all that it matches: in it only `*` and `?` are no letters of their own."""
    return "*" in name or "?" in name


def matches(name: str, pattern: str) -> bool:
    """Whether a name is one of those that a pattern stands for."""
    return _compiled(pattern).fullmatch(name) is not None


@lru_cache(64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), re.DOTALL)


def places(name: str, registry: Registry, frame: FrameType | None) -> Iterator[tuple[str, Place]]:
    """What a name or a pattern leads to, by full name; nothing where that is not there yet.

    Args:
        name: As the screen calls it.
        registry: Knows the models and optimizers by name.
        frame: The user's innermost frame.
    """
    if is_pattern(name):
        yield from ((one, place) for one, place in everything(registry) if matches(one, name))
        return
    place = _of_optimizer(name, registry) or _of_model(name, registry) or _of_variable(name, frame)
    if place is not None:
        yield name, place


def everything(registry: Registry) -> Iterator[tuple[str, Place]]:
    """All that models and optimizers hold, by name."""
    names: dict[int, str] = {}
    for model_name, model in registry.models():
        for path, module in modules_of(model):
            keys = tuple(path.split(".")[:-1])
            for which, members in enumerate(members_of(module)[:2]):
                for key, tensor in members.items():
                    if tensor is None:
                        continue
                    name = f"{model_name}.{path}{key}"
                    yield name, Member(model, keys, key, grad=False)
                    if which == 0:
                        names.setdefault(id(tensor), name)
                        yield f"{name}.grad", Member(model, keys, key, grad=True)
    for named, optimizer in registry.optimizers():
        for parameter, state in states_of(optimizer):
            if (name := names.get(id(parameter), "")) != "":
                for key in tuple(state):
                    word = key_in_words(key)
                    yield f"{named.name}.state[{name}].{word}", Entry(optimizer, Held(parameter, grad=False), word)


def _of_optimizer(name: str, registry: Registry) -> Place | None:
    state, group = _STATE.match(name), _GROUP.match(name)
    for named, optimizer in registry.optimizers():
        if state is not None and state["optimizer"] == named.name:
            parameter = _of_model(state["parameter"], registry)
            return Entry(optimizer, parameter, state["key"]) if parameter is not None else None
        if group is not None and group["optimizer"] == named.name:
            return Hyperparameter(optimizer, int(group["group"]), group["key"].strip("'\""))
    return None


def _of_model(name: str, registry: Registry) -> Place | None:
    for model_name, model in registry.models():
        if not model_name or not name.startswith(f"{model_name}."):
            continue
        path = name[len(model_name) + 1 :]
        for grad in (False, True):
            if grad and not path.endswith(".grad"):
                break
            *keys, key = path.removesuffix(".grad").split(".") if grad else path.split(".")
            module: Any = model
            for one in keys:
                module = child_of(module, one) if module is not None else None
            if module is not None and any(members.get(key) is not None for members in members_of(module)[:2]):
                return Member(model, tuple(keys), key, grad=grad)
        found = dict(parameters_of(model)).get(path.removesuffix(".grad"))  # (FSDP has names of its own)
        if found is not None:
            return Held(found, grad=path.endswith(".grad"))
    return None


def _of_variable(name: str, frame: FrameType | None) -> Place | None:
    match = re.match(r"[^\W\d]\w*", name)
    if match is None:
        return None
    first, rest = match[0], name[match.end() :]
    steps = tuple(_STEP.findall(rest))
    if "".join(steps) != rest:
        return None
    while frame is not None:
        if origin(frame.f_code.co_filename) == "user":
            if frame.f_code.co_flags & inspect.CO_OPTIMIZED and first in local_variables(frame):
                place = Variable(first, steps, frame.f_code, {})
            elif first in frame.f_globals:
                place = Variable(first, steps, None, frame.f_globals)
            else:
                frame = frame.f_back
                continue
            found = place.value(frame)
            is_to_come = found is None and bool(steps) and steps[-1] == ".grad"
            if is_a(found, torch.Tensor) or number_of(found) is not None or is_to_come:
                return place
        frame = frame.f_back
    return None


def _after(value: Any, step: str) -> Any:
    """What one step of an expression leads to; `ABSENT` where nothing is there that can be read as such."""
    if value is ABSENT or value is None:
        return ABSENT
    if is_a(value, torch.Tensor):
        return _gradient(value) if step == ".grad" else ABSENT
    if is_a(value, nn.Module) and step.startswith("."):
        for members in members_of(value):
            if (found := dict(members.items()).get(step[1:])) is not None:
                return found
    wanted = step.replace('"', "'")
    found = next((item for path, item in entries_of(value) if path == wanted), ABSENT)
    if found is ABSENT and step.startswith("[-") and is_a(value, (list, tuple)):
        place = int(step[1:-1])
        return value[place] if -len(value) <= place else ABSENT
    return found


def _gradient(tensor: torch.Tensor) -> torch.Tensor | None:
    with torch._C.DisableTorchFunctionSubclass():
        return gradient(tensor)


def _by_words(state: dict[Any, Any], word: str) -> Any:
    """The entry whose key, which is no text, is written so."""
    return next((value for key, value in state.items() if key_in_words(key) == word), None)
