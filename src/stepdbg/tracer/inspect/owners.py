"""Who holds a tensor, and what hangs on it: one tensor has many owners, and none of them is told of a change.

The model's attribute and the optimizer's list hold the very same tensor, not copies; its gradient is an attribute of
the tensor and of nothing else. Found by identity (`is`), never by comparing values.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import torch

from stepdbg.listing.tree import Marked, marked
from stepdbg.protocol import messages as m
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.inspect.cache import Figures
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import groups_of, members_of, modules_of, optimized_by, parameters_of_group
from stepdbg.tracer.introspect.plain import plain
from stepdbg.tracer.objects.alive import Alive
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.objects.variable_names import expressions_for
from stepdbg.tracer.tensors import window as tensors
from stepdbg.tracer.tensors.readable import address_of, dtype_name, shape_of

_VARIABLES = 16
"""The number of the user's variables that are listed at most."""


class Owners(Handler):
    """Answers `Identify`."""

    answers = (m.Identify,)

    def __init__(self, registry: Registry, figures: Figures, marks: Callable[[], Marked]) -> None:
        self._registry = registry
        self._figures = figures
        self._marks = marks
        self._stack: list[FrameType] = []

    def open(self, at: AtStop) -> None:
        """Training has stopped with these frames, innermost first."""
        self._stack = at.stack

    def close(self) -> None:
        """Training goes on."""
        self._stack = []

    def answer(self, query: m.Identify) -> m.Result:
        """Who holds the tensor, with what the phase done did to it."""
        known = identify(query.object, self._registry, self._stack, self._figures)
        return known if isinstance(known, m.Refusal) else marked(known, self._marks())


def identify(name: str, registry: Registry, stack: list[FrameType], figures: Figures) -> m.Identity | m.Refusal:
    """The identity of the tensor of that name; of a gradient or a state entry, that of its parameter.

    Args:
        name: As it is listed.
        registry: What is alive, as it was listed for this stop.
        stack: The training thread's frames, innermost first.
        figures: Works out norms.
    """
    base = base_of(name, registry)
    entry = registry.alive.get(base)
    if entry is None or entry.tensor is None:
        why = f"{name} is not there at this stop" if entry is None else f"{name} is no tensor but {entry.value!r}"
        return m.Refusal(f"{why}; choose a tensor of the Model panel")
    tensor = entry.tensor
    owners = [*_models(tensor, registry), *_optimizers(tensor, registry), *_variables(tensor, stack)]
    return m.Identity(
        object=base,
        kind=entry.kind,
        shape=shape_of(tensor),
        dtype=dtype_name(tensor.dtype),
        device=str(tensor.device),
        id=id(tensor),
        pointer=_pointer(tensor),
        requires_grad=tensor.requires_grad,
        grad_fn=type(tensor.grad_fn).__name__ if tensor.grad_fn is not None else "",
        owners=tuple(owners[: m.OWNERS]),
        left_out=max(0, len(owners) - m.OWNERS),
        hangs=tuple(_hanging(base, tensor, registry, figures)),
        shares=tuple(_shares(base, entry, registry)),
        models=tuple(name for name, _ in registry.models()),
        optimizers=tuple(named.name for named, _ in registry.optimizers()),
        steps=registry.steps().get(id(tensor), 0),
        stateful=any(any(tuple(optimizer.state.values())) for optimizer in _holders(tensor, registry)),
    )


def base_of(name: str, registry: Registry) -> str:
    """The parameter that a gradient or a state entry belongs to; else the name itself."""
    entry = registry.alive.get(name)
    if (entry is None or entry.kind == "grad") and name.endswith(".grad"):
        return name.removesuffix(".grad")
    if ".state[" in name and (entry is None or entry.kind == "state"):
        return name[name.index(".state[") + 7 : name.rindex("]")]
    return name


def _models(tensor: torch.Tensor, registry: Registry) -> Iterator[m.Owner]:
    """Every attribute path that leads to it; tied parameters have several."""
    for name, model in registry.models():
        for prefix, module in modules_of(model):
            parameters, buffers, _ = members_of(module)
            for key, value in (*parameters.items(), *buffers.items()):
                if value is tensor:
                    yield m.Owner("model", f"{name}.{prefix}{key}", type(module).__name__)


def _optimizers(tensor: torch.Tensor, registry: Registry) -> Iterator[m.Owner]:
    for named, optimizer in registry.optimizers():
        for index, group in enumerate(groups_of(optimizer)):
            for place, parameter in enumerate(parameters_of_group(group)):
                if parameter is tensor:
                    expression = f'{named.name}.param_groups[{index}]["params"][{place}]'
                    yield m.Owner("optimizer", expression, type(optimizer).__name__)


def _holders(tensor: torch.Tensor, registry: Registry) -> Iterator[Any]:
    """The optimizers that hold it."""
    for _, optimizer in registry.optimizers():
        if any(parameter is tensor for parameter in optimized_by(optimizer)):
            yield optimizer


def _variables(tensor: torch.Tensor, stack: list[FrameType]) -> Iterator[m.Owner]:
    """The variables of the user's frames that refer to it, each with the function that it is in."""
    seen: set[str] = set()
    for frame in stack:
        if frames.origin(frame.f_code.co_filename) != "user":
            continue
        local = bool(frame.f_code.co_flags & inspect.CO_OPTIMIZED)
        space = frames.local_variables(frame) if local else frame.f_globals
        for expression in expressions_for(space, tensor):
            if expression not in seen and len(seen) < _VARIABLES:
                seen.add(expression)
                yield m.Owner("variable", expression, f"{frame.f_code.co_name}()" if local else "")


def _hanging(name: str, tensor: torch.Tensor, registry: Registry, figures: Figures) -> Iterator[m.Hanging]:
    grad = gradient(tensor)
    if grad is not None:
        grad_name = f"{name}.grad"
        yield m.Hanging("grad", grad_name, grad_name, _shape(grad), figures.norm(grad_name, grad))
    for named, optimizer in registry.optimizers():
        state = optimizer.state.get(tensor, {})
        for key, value in tuple(state.items()) if isinstance(state, dict) else ():
            expression = f'{named.name}.state[{name}]["{key}"]'
            object_name = f"{named.name}.state[{name}].{key}"
            if isinstance(value, torch.Tensor):
                norm = figures.norm(object_name, value) if value.dim() else None
                yield m.Hanging("state", object_name, expression, _shape(value), norm)
            else:
                yield m.Hanging("state", object_name, expression, plain(value)[:40])


def _shares(name: str, entry: Alive, registry: Registry) -> Iterator[str]:
    """Other tensors over the same memory: writing one writes them all."""
    pointer = _pointer(entry.tensor)
    if pointer is None:
        return
    for other, alive in registry.alive.items():
        if alive.tensor is not None and alive.tensor is not entry.tensor and _pointer(alive.tensor) == pointer:
            yield other


def _pointer(tensor: Any) -> int | None:
    """The address of a tensor's numbers; None where it has no memory (a meta tensor, one of no elements, a wrapper)."""
    return address_of(tensor) or None


def _shape(tensor: torch.Tensor) -> str:
    if tensor.dim() == 0 and tensor.device.type == "cpu" and (number := tensors.single(tensor)) is not None:
        return f"{number:g}"
    return "×".join(map(str, shape_of(tensor))) or "scalar"
