"""Whether tensors are finite, at one pass over each.

A sum over elements one of which is not finite is not finite either, and takes a twentieth of what the largest absolute
value takes on the CPU. It may overflow over finite elements, so what it says is looked at again, element by element.
A device is asked for the largest absolute values, once for all.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence

import torch

from stepdbg.tracer.effects.nonfinite import numbers_of
from stepdbg.tracer.nonfinite.elements import bad_elements
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors.readable import ORDINARY

_SUMMED = frozenset((torch.float32, torch.float64))
"""Types whose sums are taken in the type itself; narrower ones overflow too easily."""
_norms = torch._foreach_norm


def is_bad(tensors: Sequence[torch.Tensor], *, infinite: bool) -> bool:
    """Whether any of these holds a NaN, or an infinity where that counts; what cannot be read does not.

    To be called where no mode, hook or `__torch_function__` of the script's is on.
    """
    total = 0.0
    there: list[torch.Tensor] = []
    for one in tensors:
        if type(one) in ORDINARY and one.dtype in _SUMMED and one.is_cpu:
            total += one.sum().item()
            continue
        numbers = numbers_of(one) if one.dtype.is_floating_point or one.dtype.is_complex else None
        if numbers is None or not numbers.numel():
            continue
        if numbers.is_cpu:
            total += _sum(numbers)
        else:
            there.append(numbers)
    if math.isfinite(total) and not (there and _is_suspicious(there)):
        return False
    return any(bad_elements(one, infinite=infinite) is not None for one in tensors)


def norm(tensors: list[torch.Tensor]) -> float:
    """No less than the largest absolute value in all of these, where they lie on the CPU; infinite where it cannot be
    told, infinite or NaN where that is.
    """
    try:
        return sum([one.item() for one in _norms(tensors, 2)]) if tensors[0].is_cpu else math.inf
    except (RuntimeError, TypeError, NotImplementedError):  # of several types or devices, or no plain tensors
        return math.inf


def _sum(numbers: torch.Tensor) -> float:
    try:
        return float(numbers.sum(dtype=None if numbers.dtype in _SUMMED else torch.float32).abs())
    except (RuntimeError, NotImplementedError):  # a type that torch only stores
        return 0.0


def _is_suspicious(tensors: Sequence[torch.Tensor]) -> bool:
    """Whether any of these, which lie on devices, may hold what is not finite."""
    if devices.capturing():
        return False
    by_device = defaultdict[torch.device, list[torch.Tensor]](list)
    for one in tensors:
        by_device[one.device].append(one)
    for each in by_device.values():
        try:
            largest = torch.stack([size.float() for size in _norms(each, math.inf)]).amax()
        except (RuntimeError, NotImplementedError, TypeError):  # one of a type for which there is no such operator
            return True
        if not math.isfinite(float(largest)):
            return True
    return False
