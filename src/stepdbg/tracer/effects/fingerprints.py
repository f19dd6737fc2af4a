"""Fingerprints: whether the bytes of a tensor are the same, order included, without keeping a copy.

On the CPU xxh3 over the buffer itself; elsewhere a multiply–xorshift–multiply of every word with its index, summed on
the device. Both are compared only with fingerprints made the same way. A device is asked as rarely as can be: the
fingerprints of all its tensors come in one answer, and small tensors come as they are, in one copy.
"""

from __future__ import annotations

import ctypes
from collections import defaultdict
from collections.abc import Sequence

import torch
import xxhash
from torch.nn.parameter import is_lazy

from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors.chunks import in_memory_order, pieces
from stepdbg.tracer.tensors.raw_bytes import raw_bytes
from stepdbg.tracer.tensors.readable import ORDINARY, Unreadable, inner_tensors, local

ALGORITHMS = {"cpu": "xxh3_64", "device": "multiply-xorshift-multiply-64", "value": "repr"}
"""What a fingerprint is, by where the object lies. Of a tensor that is not on the CPU it is the second, unless it is
small: then the first. Of what is no tensor it is the value itself."""

_CHUNK = 1 << 21
"""Words that are mixed at a time on a device, which bounds the extra memory to some 60 MB."""
_LEAST = 1 << 15
"""Words that are mixed at a time on a device where memory is short."""
_SMALL = 4096
"""Bytes up to which a copy takes less time than a buffer that shows them in place, or a kernel that mixes them."""
_TOGETHER = 1 << 14
"""Small tensors of a device that are fetched at a time."""
_LARGE = 1 << 24
"""Elements from which on an expanded tensor is told by what it stores."""
_FIRST, _SECOND = 0x9E3779B97F4A7C15 - (1 << 64), 0xBF58476D1CE4E5B9 - (1 << 64)
"""The odd multipliers of splitmix64 (Steele, Lea and Flood, 2014), as signed 64-bit integers."""
_WORD = (1 << 64) - 1
_compare = ctypes.PyDLL(None).memcmp
_compare.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t]
_UNMADE = xxhash.xxh3_64_intdigest(b"not initialised yet")
"""The fingerprint of a parameter that has neither shape nor numbers yet: the first forward changes it."""


def fingerprint(tensor: torch.Tensor) -> int | None:
    """The fingerprint of a tensor's elements; None where its bytes cannot be read (meta, sparse, quantised, freed)."""
    return fingerprints([tensor])[0]


def fingerprints(tensors: Sequence[torch.Tensor]) -> list[int | None]:
    """The fingerprints of many tensors; those of one device are fetched from it together.

    None for each tensor whose bytes cannot be read, whatever it is: one such tensor costs the others nothing.
    """
    found: list[int | None] = [None] * len(tensors)
    there = defaultdict[torch.device, list[tuple[int, torch.Tensor]]](list)
    for place, tensor in enumerate(tensors):
        try:
            found[place] = _here(tensor)
        except _Elsewhere as elsewhere:
            there[elsewhere.tensor.device].append((place, elsewhere.tensor))
        except Exception:  # a type, a layout or a class of the user's that answers with an exception of its own
            found[place] = None
    for device, each in there.items():
        devices.note(device)
        for (place, _), record in zip(each, _from_device([tensor for _, tensor in each]), strict=True):
            found[place] = record
    return found


class _Elsewhere(Exception):
    """The elements lie on a device."""

    def __init__(self, tensor: torch.Tensor) -> None:
        self.tensor = tensor


def _here(tensor: torch.Tensor) -> int | None:
    """The fingerprint of what lies on the CPU.

    Raises:
        _Elsewhere: it lies on a device.
    """
    data = small_bytes(tensor)
    if data is not None:
        return xxhash.xxh3_64_intdigest(data)
    if is_lazy(tensor):
        return _UNMADE
    whole = tensor
    try:
        tensor, _ = local(tensor)
    except Unreadable:
        return _of_parts(whole)
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return None
    if tensor.is_nested:
        tensor = tensor.values()
    if tensor.device.type != "cpu":
        raise _Elsewhere(tensor)
    if tensor.numel() > _LARGE:
        stored, repeats = in_memory_order(tensor)
        if repeats > 1:
            print_of_stored = _here(stored)
            return None if print_of_stored is None else print_of_stored ^ repeats
    if not tensor.is_contiguous() or tensor.is_conj() or tensor.is_neg():
        running = xxhash.xxh3_64()
        for piece in raw_bytes(tensor):
            running.update(piece)
        return running.intdigest()
    size = tensor.nbytes
    if size == 0:
        return 0
    buffer = (ctypes.c_char * size).from_address(tensor.data_ptr())
    return xxhash.xxh3_64_intdigest(buffer)


def _of_parts(tensor: torch.Tensor) -> int | None:
    """The fingerprint of a wrapper that has no memory of its own: of all the tensors that it keeps, names included.

    None where it keeps none, or one of them cannot be read.
    """
    parts = inner_tensors(tensor)
    marks = fingerprints([part for _, part in parts if part is not tensor])
    if not marks or None in marks or len(marks) != len(parts):
        return None
    words = [f"{name} {record}" for (name, _), record in zip(parts, marks, strict=True)]
    return xxhash.xxh3_64_intdigest("\n".join(words).encode())


def small_bytes(tensor: torch.Tensor, most: int = _SMALL) -> bytes | None:
    """A copy of what a tensor on the CPU holds that has no more than so many bytes; None of any other.

    There may be hundreds of thousands of those, and each question to a tensor costs a tenth of a microsecond.
    """
    if type(tensor) in ORDINARY and tensor.is_cpu and tensor.layout is torch.strided and not tensor.is_quantized:
        size = tensor.nbytes
        if 0 < size <= most and tensor.is_contiguous():
            try:
                address = tensor.data_ptr()
            except RuntimeError:  # nobody may ask any more
                return None
            # A tensor whose memory has been freed says where it would begin after the address 0.
            if address > most and (address >> 36 or tensor.untyped_storage().nbytes()):
                return ctypes.string_at(address, size)
    return None


def holds(tensor: torch.Tensor, data: bytes) -> bool:
    """Whether that is a tensor on the CPU whose bytes are just these; False where that takes more than a look."""
    plain = type(tensor) in ORDINARY and tensor.is_cpu and tensor.layout is torch.strided and not tensor.is_quantized
    if not plain or tensor.nbytes != len(data) or not tensor.is_contiguous():
        return False
    try:
        address = tensor.data_ptr()
    except RuntimeError:  # nobody may ask any more
        return False
    return address >> 36 != 0 and not _compare(address, data, len(data))


# ---------------------------------------------------------------- on a device


def _from_device(tensors: list[torch.Tensor]) -> list[int | None]:
    """The fingerprints of tensors that lie on the same device."""
    found: list[int | None] = [None] * len(tensors)
    small = [place for place, tensor in enumerate(tensors) if 0 < tensor.nbytes <= _SMALL]
    for start in range(0, len(small), _TOGETHER):
        _fetch(tensors, small[start : start + _TOGETHER], found)
    totals: list[tuple[int, torch.Tensor, int]] = []
    places = _Places()
    for place, tensor in enumerate(tensors):
        if not tensor.nbytes:
            found[place] = 0
        elif tensor.nbytes > _SMALL:
            try:
                totals.append((place, *_total(tensor, places)))
            except Exception:  # this tensor alone cannot be read
                found[place] = None
    if totals:
        try:
            sums = torch.stack([total for _, total, _ in totals]).tolist()
        except Exception:
            return found
        for (place, _, turned), total in zip(totals, sums, strict=True):
            found[place] = _signed(total * _FIRST ^ turned)
    return found


def _fetch(tensors: list[torch.Tensor], places: list[int], found: list[int | None]) -> None:
    """The fingerprints of small tensors: their bytes come to the CPU in one copy. They are what the CPU's would be."""
    parts: list[tuple[int, torch.Tensor]] = []
    for place in places:
        try:
            parts.append((place, _bytes(tensors[place])))
        except Exception:  # this tensor alone cannot be read
            found[place] = None
    if not parts:
        return
    try:
        joined = torch.cat([part for _, part in parts]).cpu()
    except Exception:
        return
    start = joined.data_ptr()
    for place, part in parts:
        found[place] = xxhash.xxh3_64_intdigest(ctypes.string_at(start, part.numel()))
        start += part.numel()


def _bytes(tensor: torch.Tensor) -> torch.Tensor:
    """The elements as bytes in row-major order: a view where they lie so, else a copy."""
    return tensor.resolve_conj().resolve_neg().contiguous().reshape(-1).view(torch.uint8)


class _Places:
    """The numbers of words on each device, each multiplied, as far as they were needed."""

    def __init__(self) -> None:
        self._made: dict[torch.device, torch.Tensor] = {}

    def first(self, number: int, device: torch.device) -> torch.Tensor:
        """The multiplied numbers of the first so many words."""
        known = self._made.get(device)
        if known is None or known.numel() < number:
            known = self._made[device] = torch.arange(number, dtype=torch.int64, device=device).mul_(_FIRST)
        return known[:number]


def _total(tensor: torch.Tensor, places: _Places) -> tuple[torch.Tensor, int]:
    """The mixed words of a tensor, summed on its device, and what tells how its elements lie in memory.

    What does not lie in row-major order is gone over as it lies in memory; only what lies with gaps is copied, a piece
    at a time.
    """
    try:
        return _summed(tensor, _CHUNK, places)
    except torch.OutOfMemoryError:
        return _summed(tensor, _LEAST, _Places())


def _summed(tensor: torch.Tensor, chunk: int, places: _Places) -> tuple[torch.Tensor, int]:
    turned = 0
    if tensor.is_conj() or tensor.is_neg():
        turned = 1 + tensor.is_conj() + 2 * tensor.is_neg()
        tensor = tensor.conj() if tensor.is_conj() else tensor
        tensor = torch._neg_view(tensor) if tensor.is_neg() else tensor
    if not tensor.is_contiguous():
        turned ^= xxhash.xxh3_64_intdigest(repr((tuple(tensor.size()), _order(tensor))).encode())
        tensor, repeats = in_memory_order(tensor)
        turned ^= repeats
    else:
        tensor = tensor.reshape(-1)
    sums: list[torch.Tensor] = []
    done = 0
    for piece in pieces(tensor, chunk * 8 // tensor.element_size()):
        raw = piece.contiguous().reshape(-1).view(torch.uint8)
        if missing := -raw.numel() % 8:
            raw = torch.cat([raw, torch.zeros(missing, dtype=torch.uint8, device=raw.device)])
        elif raw.data_ptr() % 8:
            raw = raw.clone()
        words = raw.view(torch.int64)
        place = places.first(words.numel(), raw.device)
        mixed = (place + _signed(done * _FIRST)).bitwise_xor_(words) if done else place ^ words
        mixed.mul_(_SECOND)
        sums.append(mixed.bitwise_xor_(mixed >> 31).sum())
        done += words.numel()
    return sums[0] if len(sums) == 1 else torch.stack(sums).sum(), turned


def _order(tensor: torch.Tensor) -> tuple[int, ...]:
    """The dimensions in the order in which they lie in memory; those that repeat elements are negative."""
    strides = tensor.stride()
    return tuple(sorted((~dim if not strides[dim] else dim for dim in range(tensor.dim())), key=lambda d: -strides[d]))


def _signed(number: int) -> int:
    """A number as a signed 64-bit integer, which is what the device works with."""
    number &= _WORD
    return number - (1 << 64) if number >> 63 else number
