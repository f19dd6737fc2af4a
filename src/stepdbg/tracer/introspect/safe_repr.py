"""Any value in a few words, without running any code of the user's: no `repr` of theirs, no property, no `len`.

What a type of Python's own holds is read through that type, since a subclass may have overridden it.
"""

from __future__ import annotations

from enum import Enum
from itertools import islice
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from stepdbg.protocol.messages import Local
from stepdbg.tracer.introspect.safe_access import attributes_of, is_a
from stepdbg.tracer.tensors.readable import Unreadable, local, shape_of

_FEW = 4
"""Entries of a container that are written out."""
_WORDS = 48
"""Characters of a text that are written out."""
_DEPTH = 2
"""Containers within containers that are written out."""
_LARGE = 1 << 22
"""Elements up to which the smallest and the largest are looked for: a millisecond's work."""
_MOST = 200
"""Characters of a summary."""


def summary(name: str, value: object, known_as: str = "") -> Local:
    """A variable as a line of a list.

    Args:
        name: The variable.
        value: What it holds.
        known_as: Under which name a tensor can be looked at.
    """
    if not is_a(value, torch.Tensor):
        return Local(name, in_words(value))
    with torch._C.DisableTorchFunctionSubclass():
        tensor: Any = value
        shape, dtype = shape_of(tensor), str(tensor.dtype).removeprefix("torch.")
        text, low, high = _figures(tensor)
        return Local(name, text, shape, dtype, str(tensor.device), low, high, known_as)


def in_words(value: object, depth: int = _DEPTH) -> str:
    """A few words."""
    words = _in_words(value, depth)
    return words if len(words) <= _MOST else words[: _MOST - 3] + "..."


def _in_words(value: object, depth: int) -> str:
    kind = type(value)
    if value is None or kind in (bool, float, complex, type(...), range, slice, torch.dtype, torch.device, torch.Size):
        return repr(value)
    if kind is int:
        return repr(value) if value.bit_length() < 128 else f"int of {value.bit_length()} bits"  # type: ignore[attr-defined]
    if is_a(value, torch.Tensor):
        return _tensor_in_words(value)
    if is_a(value, (str, bytes)):
        return _text(value)
    if is_a(value, (nn.Module, ModuleType)):
        return f"module {_module_name(value)}" if is_a(value, ModuleType) else class_name(value)
    if is_a(value, Optimizer):
        return class_name(value)
    if is_a(value, type):
        return f"class {_name_of_class(value)}"
    if is_a(value, Enum):
        return f"{class_name(value)}.{object.__getattribute__(value, '__dict__').get('_name_', '?')}"
    if is_a(value, (FunctionType, BuiltinFunctionType, MethodType)):
        function = value.__func__ if is_a(value, MethodType) else value  # type: ignore[attr-defined]
        return f"function {getattr(function, '__qualname__', '?')}"
    if is_a(value, (list, tuple, dict, set, frozenset)):
        return _container(value, depth)
    if kind.__module__ == "numpy" and class_name(value) == "ndarray":
        return f"ndarray {value.dtype} {list(value.shape)}"  # type: ignore[attr-defined]
    if kind.__module__.partition(".")[0] in ("numpy", "pathlib"):
        return repr(value)
    return _object(value, depth)


def _tensor_in_words(value: object) -> str:
    local = summary("", value)
    assert local.shape is not None
    if local.text:
        return f"tensor({local.text})"
    return f"{local.dtype} {list(local.shape)}"


def _figures(tensor: torch.Tensor) -> tuple[str, float | None, float | None]:
    """The value of a tensor with one element, or the smallest and the largest element, where that is quickly told."""
    plain = type(tensor) in (torch.Tensor, nn.Parameter) and tensor.layout is torch.strided
    if not plain or tensor.device.type == "meta" or tensor.is_quantized or not 0 < tensor.numel() <= _LARGE:
        return "", None, None
    try:
        tensor, _ = local(tensor)
        if tensor.numel() == 1:
            value = tensor.item()
            return (f"{value:.6g}" if isinstance(value, float) else repr(value)), None, None
        if tensor.is_complex() or tensor.dtype is torch.bool:
            return "", None, None
        low, high = torch.aminmax(tensor)
        return "", float(low), float(high)
    except Unreadable as why:
        return why.row, None, None
    except RuntimeError:  # a type that torch has no order for
        return "", None, None


def _text(value: Any) -> str:
    base = str if is_a(value, str) else bytes
    length = base.__len__(value)
    words = base.__repr__(base.__getitem__(value, slice(_WORDS)))
    unit = "characters" if base is str else "bytes"
    return words if length <= _WORDS else f"{words}... {length:,} {unit}"


def _container(value: Any, depth: int) -> str:
    base = next(one for one in (list, tuple, dict, set, frozenset) if is_a(value, one))
    length = base.__len__(value)
    if not depth:
        return f"{class_name(value)} of {length}"
    if base is dict:
        entries = [f"{in_words(key, 0)}: {in_words(item, depth - 1)}" for key, item in islice(dict.items(value), _FEW)]
    else:
        entries = [in_words(item, depth - 1) for item in islice(base.__iter__(value), _FEW)]
    inside = ", ".join(entries) + (", ..." if length > _FEW else "," if base is tuple and length == 1 else "")
    number = f" {length:,} entries" if length > _FEW else ""
    if type(value) not in (list, tuple, dict, set):
        return f"{class_name(value)}({inside}){number}"
    return {list: f"[{inside}]", tuple: f"({inside})"}.get(base, f"{{{inside}}}") + number


def _object(value: object, depth: int) -> str:
    """An object by its class and its first attributes."""
    found = [(path, item) for path, item in attributes_of(value) if not path.startswith("._")] if depth else []
    inside = ", ".join(f"{path[1:]}={in_words(item, 0)}" for path, item in found[:_FEW])
    return f"{class_name(value)}({inside}{', ...' if len(found) > _FEW else ''})" if found else class_name(value)


def class_name(value: object) -> str:
    """The name of a value's class."""
    return _name_of_class(type(value))


def _name_of_class(kind: Any) -> str:
    return str(type.__dict__["__name__"].__get__(kind))  # a metaclass may have a `__name__` of its own


def _module_name(value: object) -> object:
    return object.__getattribute__(value, "__dict__").get("__name__", "?")
