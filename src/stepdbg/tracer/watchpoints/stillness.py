"""Whether the values that are watched have stayed as they were, told in a free run at the start and the end of a phase.

Between two kernels of torch's each function of Python's that is called costs a microsecond, whatever it does. So there
is one that finds the tensors, and one that compares their bytes where they lie. It only says that nothing has changed;
where it cannot say so, everything is looked at as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch

from stepdbg.tracer.effects.fingerprints import holds
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.watchpoints.names import Member

_attributes = object.__getattribute__
_function_modes_are_on = torch._C._is_torch_function_mode_enabled


class Kept(NamedTuple):
    """A tensor that a model holds, or its gradient, and the bytes that it held; None where there was none."""

    place: Member
    data: bytes | None
    dtype: torch.dtype | None


def still(kept: list[Kept]) -> Callable[[], bool]:
    """A function that says True where all of these hold what they held, and are small tensors on the CPU."""
    rows = [(one.place.model, one.place.path, one.place.key, one.place.grad, one.data, one.dtype) for one in kept]

    def same() -> bool:
        if _function_modes_are_on():  # which would see each attribute of a tensor that is asked for
            return False
        try:
            for model, path, key, grad, data, dtype in rows:
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
                if not holds(tensor, data) or tensor.dtype is not dtype:
                    return False
            return True
        except Exception:  # whatever has taken the place of torch's own dictionaries
            return False

    return same
