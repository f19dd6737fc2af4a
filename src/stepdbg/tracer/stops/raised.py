"""Where an exception was raised, and on what: the module whose forward was running, and the tensors that the user's own
line names.

It is read from the frames that the traceback holds, which are as they were left; nothing of the script's runs for it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from types import FrameType, MemberDescriptorType, ModuleType, TracebackType
from typing import Any, NamedTuple

import msgspec
import torch
from torch import nn

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import members_of, modules_of
from stepdbg.tracer.introspect.mentioned import Index, Mention, Step, mentioned
from stepdbg.tracer.introspect.safe_access import entries_of, is_a
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.readable import dtype_name, elements_of, shape_of
from stepdbg.tracer.tensors.window import single

_FORWARD = "forward"
_CALLS = (_FORWARD, "_call_impl")
"""Functions that run while a module is called; hooks are called by the second."""
_MOST = 5
"""The number of tensors that are described at most."""
_FEW = 3
"""The number of tensors of one container, and of those that are only in the frame."""
_SEARCHED = 1_000
"""The number of entries of a container that a name is looked for in."""
_NOTHING = object()
_ATTRIBUTE_READERS = (object.__getattribute__, nn.Module.__getattribute__)
_READ_BY_INDEX = (list.__getitem__, tuple.__getitem__, dict.__getitem__)
_MODULES_BY_INDEX = (nn.Sequential.__getitem__, nn.ModuleList.__getitem__, nn.ModuleDict.__getitem__)

_SIZES = (
    ("in_features", "out_features"),
    ("in_channels", "out_channels"),
    ("num_embeddings", "embedding_dim"),
    ("input_size", "hidden_size"),
    ("num_features",),
    ("embed_dim",),
)
"""Attributes of torch's modules that say from what to what they lead."""

Found = tuple[str, Any]
"""What the user calls it, and itself."""


class _Point(NamedTuple):
    """A frame that an exception has left, and the instruction that it left it at."""

    frame: FrameType
    place: int


class _Running(NamedTuple):
    """A module whose forward was running, and the frame of that."""

    module: nn.Module
    frame: FrameType


def located(failure: m.Failure, traceback: TracebackType | None, registry: Registry) -> m.Failure:
    """The exception with where it was raised and on what, as far as that is certain.

    Args:
        failure: The exception as it is sent.
        traceback: Its own.
        registry: What is alive, as seen from its frames.
    """
    points = _points(traceback)
    users = next(filter(_is_users, points), None)
    running = next((found for one in points if (found := _running_in(one.frame)) is not None), None)
    path = _path_of(running.module, registry) if running is not None else ""
    called = running is not None and next(one for one in points if _is_users(one) or one.frame is running.frame)
    tensors = _tensors(users, running if called is not users else None, path)
    kind = _kind_of(running.module) if running is not None else ""
    operands = tuple(islice(_described(tensors), _MOST))
    return msgspec.structs.replace(failure, module=path, kind=kind, operands=operands)


def with_gradients(failure: m.Failure, registry: Registry) -> m.Failure:
    """The exception with the gradients that there are."""
    trained = [
        (name, one.tensor)
        for name, one in registry.alive.items()
        if one.kind == "parameter" and one.tensor is not None and one.tensor.requires_grad
    ]
    names = [name for name, parameter in trained if gradient(parameter) is not None]
    return msgspec.structs.replace(failure, with_grad=tuple(names[:_FEW]), with_grad_of=(len(names), len(trained)))


def _is_users(point: _Point) -> bool:
    return frames.origin(point.frame.f_code.co_filename) == "user"


def _points(traceback: TracebackType | None) -> list[_Point]:
    """Innermost first."""
    found = []
    while traceback is not None:
        found.append(_Point(traceback.tb_frame, traceback.tb_lasti))
        traceback = traceback.tb_next
    return found[::-1]


def _running_in(frame: FrameType) -> _Running | None:
    code = frame.f_code
    if code.co_name not in _CALLS or not code.co_argcount:
        return None
    module: Any = frames.local_variables(frame).get(code.co_varnames[0])
    return _Running(module, frame) if is_a(module, nn.Module) else None


def _path_of(module: nn.Module, registry: Registry) -> str:
    """What the user calls it: the model's name and where in the model it is; its class where nothing leads to it."""
    known = registry.models()
    known += [(name, part) for part in registry.parts if (name := registry.scope.get(id(part)))]
    for name, model in known:
        for prefix, inner in modules_of(model):
            if inner is module and name:
                return f"{name}.{prefix}"[:-1] if prefix else name
    return f"a module of class {type.__dict__['__name__'].__get__(type(module))}"


def _kind_of(module: nn.Module) -> str:
    """`Linear 20→4`: class and sizes of a module of torch's; empty for one that has none."""
    if not type.__getattribute__(type(module), "__module__").startswith("torch.nn."):
        return ""
    own = object.__getattribute__(module, "__dict__")
    sizes = next(
        ([own[key] for key in keys] for keys in _SIZES if all(type(own.get(key)) is int for key in keys)), None
    )
    return f"{type.__getattribute__(type(module), '__name__')} {'→'.join(map(str, sizes))}" if sizes else ""


def _tensors(users: _Point | None, running: _Running | None, path: str) -> Iterator[Found]:
    """What the line names, and what the module in which it failed was called with and holds; the nearest first.

    Args:
        users: The user's innermost frame.
        running: The module, where it is a library's that this frame has called.
        path: What it is called.
    """
    named = list(_named_at(users)) if users is not None else []
    inside: list[Found] = []
    if running is not None:
        own = next((name for name, value in named if value is running.module), "")
        arguments = _arguments(running)
        names = {id(value): name for name, value in reversed([*_tensors_in(named)])}
        inside = [
            (names.get(id(value), name), value)
            for name, value in (*arguments, *_parameters_of(running.module, own or path))
        ]
        if arguments:  # they are what did not fit, whatever else the line names
            yield from inside
            return
        if not own:
            yield from inside
    found = False
    for name, value in named:
        if is_a(value, (list, tuple, dict)):
            value = _unlike((name + step, one) for step, one in entries_of(value) if is_a(one, torch.Tensor))
        else:
            value = [(name, value)] if is_a(value, torch.Tensor) or type(value) is int else []
        found = found or bool(value)
        yield from value
    yield from inside
    if users is not None and not (found or inside) and users.frame.f_code.co_name != "<module>":
        variables = frames.local_variables(users.frame).items()
        yield from islice(((name, value) for name, value in variables if is_a(value, torch.Tensor)), _FEW)


def _tensors_in(named: Iterable[Found]) -> Iterator[Found]:
    """The tensors among what a line names, and in the containers that it names."""
    for name, value in named:
        if is_a(value, torch.Tensor):
            yield name, value
        elif is_a(value, (list, tuple, dict)):
            entries = islice(entries_of(value), _SEARCHED)
            yield from ((name + step, one) for step, one in entries if is_a(one, torch.Tensor))


def _arguments(running: _Running) -> list[Found]:
    """What the module was called with."""
    code = running.frame.f_code
    if code.co_name != _FORWARD:
        return []
    variables = frames.local_variables(running.frame)
    found = ((name, variables.get(name)) for name in code.co_varnames[1 : code.co_argcount])
    return [(f"its {name}", value) for name, value in found if is_a(value, torch.Tensor)]


def _parameters_of(module: nn.Module, name: str) -> list[Found]:
    """A module's own parameters; a bias beside a matrix only where it is of another kind."""
    parameters = [(f"{name}.{key}", one) for key, one in members_of(module)[0].items() if one is not None]
    kinds = {_kind(one) for _, one in parameters if len(shape_of(one)) > 1}
    return [(name, one) for name, one in parameters if len(shape_of(one)) > 1 or not kinds or _kind(one) not in kinds]


def _unlike(tensors: Iterable[Found]) -> list[Found]:
    """The first of several, and those that differ from it: of a list of a hundred it is they that do not fit."""
    found: list[Found] = []
    first: object = None
    for name, tensor in tensors:
        kind = (shape_of(tensor), *_kind(tensor))
        first = first or kind
        if not found or kind != first:
            found.append((name, tensor))
    return found[:_FEW]


def _described(found: Iterable[Found]) -> Iterator[m.Operand]:
    """Each of them once, as it is sent."""
    seen: set[int] = set()
    for name, value in found:
        if type(value) is int:
            yield m.Operand(name, number=value)
        elif id(value) not in seen:
            seen.add(id(value))
            dtype, device = _kind(value)
            yield m.Operand(name, shape_of(value), dtype, device, _number(value))


def _kind(tensor: torch.Tensor) -> tuple[str, str]:
    with torch._C.DisableTorchFunctionSubclass():
        return dtype_name(tensor.dtype), str(tensor.device)


def _number(tensor: torch.Tensor) -> float | None:
    """The value of a tensor that has a single one."""
    try:
        return float(number) if elements_of(tensor) == 1 and (number := single(tensor)) is not None else None
    except Exception:  # a kernel that has failed may be why
        return None


# what a mention leads to


def _named_at(point: _Point) -> Iterator[Found]:
    """The objects that the user's line names where it failed, and the numbers that stand as an index there."""
    variables: dict[str, Any] = {**frames.local_variables(point.frame)}
    for mention in mentioned(point.frame.f_code, point.place):
        yield from _followed(mention, variables, point.frame.f_globals)


def _followed(mention: Mention, variables: dict[str, Any], others: dict[str, Any]) -> Iterator[Found]:
    """A chain of attributes and entries as far as it leads without running any code of a class of the user's."""
    name = mention.variable
    value = variables[name] if name in variables else others.get(name, _NOTHING)
    for step in mention.steps:
        index = variables.get(step.variable, _NOTHING) if isinstance(step, Index) and step.variable else _NOTHING
        if is_a(value, torch.Tensor):
            yield name, value
            value = _NOTHING
        if type(index) is int and isinstance(step, Index):
            yield step.variable, index
        if value is _NOTHING:
            return
        if isinstance(step, Index):
            value = _at(value, index if step.variable else step.constant)
        else:
            value = _attribute(value, step)
        name += _written(step)
    if type(value) is not int:
        yield name, value


def _written(step: Step) -> str:
    if not isinstance(step, Index):
        return f".{step}"
    return f"[{step.variable}]" if step.variable else f"[{step.constant!r}]"


def _at(value: Any, index: object) -> Any:
    """An entry of a container whose class reads it as Python or torch itself does."""
    reader = _of_class(type(value), "__getitem__")
    try:
        if type(index) in (int, str) and any(reader is one for one in _READ_BY_INDEX):
            return reader(value, index)
        if any(reader is one for one in _MODULES_BY_INDEX):
            inside = dict(members_of(value)[2].items())
            return [*inside.values()][index] if type(index) is int else inside.get(str(index), _NOTHING)
    except (LookupError, TypeError):
        pass
    return _NOTHING


def _attribute(value: Any, name: str) -> Any:
    """An attribute that is kept as such."""
    if type(value) is ModuleType:
        return vars(value).get(name, _NOTHING)
    if not any(_of_class(type(value), "__getattribute__") is one for one in _ATTRIBUTE_READERS):
        return _NOTHING
    shared = _of_class(type(value), name)
    if type(shared) is MemberDescriptorType:
        try:
            return shared.__get__(value)
        except AttributeError:
            return _NOTHING
    if _of_class(type(shared), "__set__") is not _NOTHING:  # it computes the attribute
        return _NOTHING
    try:
        own = object.__getattribute__(value, "__dict__")
    except AttributeError:
        own = {}
    if is_a(value, nn.Module):
        own = {**own, **{key: one for members in members_of(value) for key, one in members.items()}}
    found = own.get(name, shared)
    return _NOTHING if found is shared and _of_class(type(shared), "__get__") is not _NOTHING else found


def _of_class(kind: type, name: str) -> Any:
    """What a class or one it derives from defines under that name."""
    return next((vars(one)[name] for one in type.mro(kind) if name in vars(one)), _NOTHING)
