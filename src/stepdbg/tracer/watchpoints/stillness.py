"""Whether the values that are watched have stayed as they were, told in a free run at the start and the end of a phase.

Between two kernels of torch's each function of Python's that is called costs a microsecond, whatever it does. So it is
one function that finds the tensors and compares their bytes where they lie. It only says that nothing has changed;
where it cannot say so, everything is looked at as ever.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import NamedTuple

import torch

from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.tensors.readable import ORDINARY
from stepdbg.tracer.watchpoints.names import Member

_compare = ctypes.PyDLL(None).memcmp
_compare.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
_attributes = object.__getattribute__
_function_modes_are_on = torch._C._is_torch_function_mode_enabled


class Kept(NamedTuple):
    """A tensor that a model holds, or its gradient, and the bytes that it held; None where there was none."""

    place: Member
    data: bytes | None
    dtype: torch.dtype | None


def still(kept: list[Kept]) -> Callable[[], bool]:
    """A function that says True where all of these hold what they held, and are small tensors on the CPU."""
    rows = [
        (one.place.model, one.place.path, one.place.key, one.place.grad, one.data, len(one.data or b""), one.dtype)
        for one in kept
    ]

    def same() -> bool:
        if _function_modes_are_on():  # which would see each attribute of a tensor that is asked for
            return False
        for model, path, key, grad, data, size, dtype in rows:
            holder = model()
            for step in path:
                if holder is None:
                    return False
                holder = _attributes(holder, "__dict__")["_modules"].get(step)
            if holder is None:
                return False
            members = _attributes(holder, "__dict__")
            tensor = members["_parameters"].get(key)
            if tensor is None:
                tensor = members["_buffers"].get(key)
            if grad and tensor is not None:
                tensor = gradient(tensor)
            if tensor is None or data is None:
                if tensor is data:
                    continue
                return False
            if (
                type(tensor) not in ORDINARY
                or tensor.dtype is not dtype
                or not tensor.is_cpu
                or tensor.layout is not torch.strided
                or tensor.nbytes != size
                or not tensor.is_contiguous()
                or not (address := tensor.data_ptr()) >> 36  # a tensor whose memory has been freed begins near 0
                or _compare(address, data, size)
            ):
                return False
        return True

    return same
