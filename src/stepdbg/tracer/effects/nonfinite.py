"""Which tensors hold a NaN or an infinity: those that a phase has written, all at once, at each stop.

The largest absolute value of many small tensors is one pass over their bytes; only where it is not finite are they
looked at one by one. On a device all tensors are reduced before the first is waited for.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

import torch
from msgspec.structs import replace

from stepdbg.protocol.messages import Effect, Holds
from stepdbg.tracer.effects.fingerprints import small_bytes
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors.batched_norms import TAKEN, norms
from stepdbg.tracer.tensors.readable import Unreadable, local

_KINDS = frozenset({"parameter", "grad", "buffer", "state", "loss", "output", "batch"})
_AT_ONCE = 1 << 22
"""Bytes of small tensors that are joined at a time."""


def marked(effects: list[Effect], registry: Registry) -> list[Effect]:
    """The effects, each with what the tensor that was written holds beside finite numbers."""
    alive = registry.alive
    if devices.capturing():
        return effects
    with torch._C.DisableTorchFunctionSubclass():
        written = (
            (effect.object, tensor)
            for effect in effects
            if effect.kind in _KINDS
            and effect.what != "freed"
            and (entry := alive.get(effect.object)) is not None
            and (tensor := entry.tensor) is not None
        )
        found = holding(written, registry.small)
    if not found:
        return effects
    return [replace(one, holds=found[one.object]) if one.object in found else one for one in effects]


def holding(
    tensors: Iterable[tuple[str, torch.Tensor]], at_hand: Mapping[str, bytes] = MappingProxyType({})
) -> dict[str, Holds]:
    """The names of the tensors that hold a NaN, or else an infinity; tensors that cannot be read are left out.

    Args:
        tensors: By their names.
        at_hand: The bytes of small ones, as far as they have been read.
    """
    found: dict[str, Holds] = {}
    small = defaultdict[torch.dtype, list[tuple[str, bytes]]](list)
    elsewhere = defaultdict[torch.device, list[tuple[str, torch.Tensor]]](list)
    for name, tensor in tensors:
        dtype = tensor.dtype
        if dtype in TAKEN and (data := at_hand.get(name) or small_bytes(tensor)) is not None:
            small[dtype].append((name, data))
            continue
        numbers = numbers_of(tensor) if dtype.is_floating_point or dtype.is_complex else None
        if numbers is None or not numbers.numel():
            continue
        if numbers.device.type != "cpu":
            elsewhere[numbers.device].append((name, numbers))
        elif (holds := _in_words(_largest(numbers))) is not None:
            found[name] = holds
    for dtype, each in small.items():
        found |= _of_small(dtype, each)
    for on_device in elsewhere.values():
        found |= _of_device(on_device)
    return found


def numbers_of(tensor: torch.Tensor) -> torch.Tensor | None:
    """The tensor's elements as real numbers, in this process; None where there are none."""
    try:
        tensor, _ = local(tensor)
    except Unreadable:
        return None
    if tensor.layout is torch.sparse_coo:
        tensor = tensor._values()
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return None
    if tensor.is_complex():
        tensor = torch.view_as_real(tensor.conj() if tensor.is_conj() else tensor)
    return tensor


def _largest(numbers: torch.Tensor) -> float:
    """The largest absolute value; NaN if one is."""
    try:
        low, high = torch.aminmax(numbers)
    except (RuntimeError, NotImplementedError):  # torch has no order for the type, or no memory to look into
        return 0.0
    smallest, largest = float(low), float(high)
    return smallest if math.isnan(smallest) else max(abs(smallest), abs(largest))


def _of_small(dtype: torch.dtype, each: Sequence[tuple[str, bytes]]) -> dict[str, Holds]:
    """What tensors on the CPU hold, by their bytes."""
    found: dict[str, Holds] = {}
    start = 0
    while start < len(each):
        end, size = start, 0
        while end < len(each) and (size == 0 or size + len(each[end][1]) <= _AT_ONCE):
            size += len(each[end][1])
            end += 1
        part, start = each[start:end], end
        joined = torch.frombuffer(bytearray(b"".join([data for _, data in part])), dtype=dtype)
        if math.isfinite(_largest(joined)):
            continue
        for (name, _), norm in zip(part, norms(dtype, [data for _, data in part]), strict=True):
            if (holds := _in_words(norm)) is not None:
                found[name] = holds
    return found


def _of_device(each: Sequence[tuple[str, torch.Tensor]]) -> dict[str, Holds]:
    """What tensors on one device hold; the device is waited for once."""
    try:
        largest = torch._foreach_norm([numbers for _, numbers in each], ord=math.inf)
        numbers = torch.stack([one.to(torch.float64) for one in largest]).tolist()
    except (RuntimeError, NotImplementedError):
        return {}
    return {name: holds for (name, _), one in zip(each, numbers, strict=True) if (holds := _in_words(one)) is not None}


def _in_words(figure: float) -> Holds | None:
    if math.isnan(figure):
        return "nan"
    return "inf" if math.isinf(figure) else None
