"""A context in which what would wait for a device is refused before it does."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from stepdbg.tracer.session import on_the_way

_ASKED = (torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape)
"""Torch's own word for operators whose result the host has to know, or whose shape."""
_INDEXING = ("aten::index", "aten::index_put", "aten::index_put_")
"""Such as have it only where an index is a mask."""
_COPIES = ("aten::_to_copy", "aten::copy_")


class Waits(BaseException):
    """An operator would wait for a device. (No `Exception`, which the script's own code may catch.)"""


class Unwaiting(TorchDispatchMode):  # type: ignore[no-untyped-call]  # torch's own
    """Refuses what would wait for a device. What an operator waits for within itself is not seen."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.refused = False
        """Whether anything was."""

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func._schema.name
        if name in _COPIES or any(tag in func.tags for tag in _ASKED):
            given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
            if _waits(name, args, kwargs, given):
                self.refused = True
                raise Waits(name)
        return func(*args, **kwargs)


def _waits(name: str, args: Any, kwargs: Any, given: list[torch.Tensor]) -> bool:
    far = any(map(on_the_way.is_far, given))
    if name in _COPIES:
        blocking = not (kwargs.get("non_blocking") or (name == "aten::copy_" and len(args) > 2 and args[2]))
        if name == "aten::copy_":
            return far and args[0].device != args[1].device and (not on_the_way.is_far(args[0]) or blocking)
        to = kwargs.get("device")
        if to is None or torch.device(to) == args[0].device:
            return False
        return torch.device(to).type == "cpu" or blocking
    if name in _INDEXING:
        return far and any(one.dtype in (torch.bool, torch.uint8) for one in given[1:])
    return far
