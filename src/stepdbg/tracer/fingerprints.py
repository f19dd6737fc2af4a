"""Fingerprints: whether the bytes of a tensor are the same, order included, without keeping a copy.

On the CPU xxh3 over the buffer itself; elsewhere a multiply–xorshift–multiply of every word with its index, summed on
the device. Both are compared only with fingerprints made the same way.
"""

from __future__ import annotations

import ctypes

import torch
import xxhash

from stepdbg.tracer.raw_bytes import raw_bytes
from stepdbg.tracer.readable import local
from stepdbg.tracer.strides import in_memory_order

ALGORITHMS = {"cpu": "xxh3_64", "device": "multiply-xorshift-multiply-64", "value": "repr"}
"""What a fingerprint is, by where the object lies. Of a tensor that is not on the CPU it is the second; of what is no
tensor it is the value itself."""

_CHUNK = 1 << 22
"""Words that are mixed at a time on a device, which bounds the extra memory to some 100 MB."""
_SMALL = 4096
"""Bytes up to which a copy takes less time than a buffer that shows them in place."""
_ORDINARY = frozenset((torch.Tensor, torch.nn.Parameter))
"""Classes of tensors that hold their elements themselves."""
_LARGE = 1 << 24
"""Elements from which on an expanded tensor is told by what it stores."""
_FIRST, _SECOND = 0x9E3779B97F4A7C15 - (1 << 64), 0xBF58476D1CE4E5B9 - (1 << 64)
"""The odd multipliers of splitmix64 (Steele, Lea and Flood, 2014), as signed 64-bit integers."""


def fingerprint(tensor: torch.Tensor) -> int | None:
    """The fingerprint of a tensor's elements; None where its bytes cannot be read (meta, sparse, quantised)."""
    held = small_bytes(tensor)
    if held is not None:
        return xxhash.xxh3_64_intdigest(held)
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.device.type == "meta":
        return None
    tensor, _ = local(tensor)
    if tensor.numel() > _LARGE:
        stored, repeats = in_memory_order(tensor)
        if repeats > 1:
            print_of_stored = fingerprint(stored)
            return None if print_of_stored is None else print_of_stored ^ repeats
    if tensor.device.type != "cpu":
        return on_device(tensor.contiguous())
    if not tensor.is_contiguous():
        running = xxhash.xxh3_64()
        for piece in raw_bytes(tensor):
            running.update(piece)
        return running.intdigest()
    size = tensor.nbytes
    if size == 0:
        return 0
    if not tensor.data_ptr():  # a wrapper without memory of its own
        return None
    buffer = (ctypes.c_char * size).from_address(tensor.data_ptr())
    return xxhash.xxh3_64_intdigest(buffer)


def small_bytes(tensor: torch.Tensor) -> bytes | None:
    """A copy of what a small tensor on the CPU holds; None of any other.

    There may be hundreds of thousands of those, and each question to a tensor costs a tenth of a microsecond.
    """
    if type(tensor) in _ORDINARY and tensor.is_cpu and tensor.layout is torch.strided and not tensor.is_quantized:
        size = tensor.nbytes
        if 0 < size <= _SMALL and tensor.is_contiguous() and (address := tensor.data_ptr()):
            return ctypes.string_at(address, size)
    return None


def on_device(tensor: torch.Tensor) -> int:
    """The fingerprint of a contiguous tensor, computed where it lies."""
    raw = tensor.reshape(-1).view(torch.uint8)
    whole = raw.numel() // 8 * 8
    words = raw[:whole].view(torch.int64) if raw.data_ptr() % 8 == 0 else raw[:whole].clone().view(torch.int64)
    total = torch.zeros((), dtype=torch.int64, device=tensor.device)
    for start in range(0, words.numel(), _CHUNK):
        part = words[start : start + _CHUNK]
        index = torch.arange(start, start + part.numel(), dtype=torch.int64, device=tensor.device)
        mixed = (part ^ (index * _FIRST)) * _SECOND
        mixed ^= mixed >> 31
        total += (mixed * _FIRST).sum()
    for place, byte in enumerate(raw[whole:].tolist()):
        total += (byte + 1) * (place + 3) * 0x5851F42D4C95
    return int(total.item())
