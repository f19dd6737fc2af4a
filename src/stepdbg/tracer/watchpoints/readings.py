"""What is kept of a value to tell whether it has changed, and in what.

Values are compared, and not the version counters of tensors: a fused optimizer, `batch_norm`, whatever writes through
`.data` or from outside of torch, and a replayed CUDA graph move none. Of a small tensor on the CPU the bytes are kept,
of any other a fingerprint; of a slice only the slice's.
"""

from __future__ import annotations

import cmath
from typing import Any, NamedTuple

import torch

from stepdbg.errors import SliceError
from stepdbg.protocol.slices import original
from stepdbg.protocol.slices import read as places_of
from stepdbg.tracer.effects.fingerprints import fingerprint, holds, small_bytes
from stepdbg.tracer.introspect.plain import number_of, plain
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors.readable import Unreadable, dtype_name, local, readable, real, shape_of
from stepdbg.tracer.tensors.window import unravel

MOST = 1 << 17
"""Bytes of a tensor that are kept as they are, of each that a pattern fits."""
MOST_ALONE = 1 << 24
"""Bytes of a tensor that are kept as they are, where it is watched by itself."""


class Reading(NamedTuple):
    """A value at one moment, as far as it is kept."""

    mark: object
    """What tells one value from another: bytes, a fingerprint, a number as it is written; None where there is none."""
    shape: tuple[int, ...] = ()
    dtype: torch.dtype | None = None
    whole: bytes | None = None
    """Of a slice, the bytes of the tensor that it is cut from, if that is small: while they stay, the slice does."""


_LARGE = "it is another, and was too large to be kept as it was"
NOTHING = Reading(None)
"""There is no value: no gradient has come yet, or it is gone again."""


def reading(value: Any, index: str, before: Reading | None, most: int) -> Reading:
    """The value as it is now.

    Args:
        value: A tensor, a number, or None where there is none.
        index: The element or slice that is meant, as Python writes it; empty for all.
        before: The value as it was.
        most: So many bytes are kept as they are.

    Raises:
        Unreadable: its elements cannot be read.
        SliceError: it has no such slice.
    """
    if value is None:
        return NOTHING
    if not is_a(value, torch.Tensor):
        return Reading(_in_words(value))
    kept = None if before is None else before.whole if index else before.mark
    alike = before is not None and (index or (value.dtype is before.dtype and value.size() == before.shape))
    if before is not None and alike and isinstance(kept, bytes) and holds(value, kept):
        return before
    data = small_bytes(value, most)
    if data is not None and not index:
        return Reading(data, value.size(), value.dtype)
    with Unobserved(), uncollected():
        part = _part(value, index)
        return Reading(_mark(part, most), tuple(part.size()), part.dtype, data)


def difference(before: Reading, after: Reading, value: Any, index: str) -> str:
    """What has changed from one reading to the other, in words: `12 of 40 elements, [0, 3] from 0.5 to 0.25`."""
    if before.mark is None:
        return "it has come to be"
    if after.mark is None:
        return "it is gone"
    if not (isinstance(before.mark, bytes) and isinstance(after.mark, bytes)):
        same = before.dtype is None or before.shape == after.shape
        numbers = before.dtype is None and after.dtype is None
        return f"from {before.mark} to {after.mark}" if numbers else _LARGE if same else _size(before, after)
    if before.dtype is None or before.shape != after.shape or before.dtype != after.dtype:
        return _size(before, after)
    with Unobserved(), uncollected():
        old, new = (torch.frombuffer(bytearray(one), dtype=before.dtype) for one in (before.mark, after.mark))
        other = (_words(old) != _words(new)).any(dim=1).nonzero().reshape(-1)
        first = int(other[0])
        change = f"from {_number(old[first])} to {_number(new[first])}"
        if old.numel() == 1:
            return change
        where = _where(first, before.shape, value, index)
        return f"{len(other):,} of {old.numel():,} elements, {where} {change}"


def outside(value: Any, index: str, low: float, high: float) -> str:
    """Which element lies outside of a range, in words; empty where none does. NaN lies outside of every range.

    Raises:
        Unreadable: its elements cannot be read, or it is no number that has an order.
        SliceError: it has no such slice.
    """
    if value is None:
        return ""
    if not is_a(value, torch.Tensor):
        number = _number_in_order(value)
        return "" if low <= number <= high else f"it is {plain(number)}"
    with Unobserved(), uncollected():
        part = _numbers(value, index)
        return _found(~((part >= low) & (part <= high)), part, value, index)


def not_finite(value: Any, index: str) -> str:
    """Which element is NaN or infinite, in words; empty where none is.

    Raises:
        Unreadable: its elements cannot be read, or it is no number.
        SliceError: it has no such slice.
    """
    if value is None:
        return ""
    if not is_a(value, torch.Tensor):
        number = _number_there(value)
        return "" if type(number) is int or cmath.isfinite(number) else f"it is {plain(number)}"
    with Unobserved(), uncollected():
        part = _numbers(value, index)
        return _found(~part.isfinite(), part, value, index)


def now(value: Any, index: str) -> str:
    """The value in words: a number, or a size with the smallest and the largest element.

    Raises:
        Unreadable: its elements cannot be read.
        SliceError: it has no such slice.
    """
    if value is None:
        return "there is none just now"
    if not is_a(value, torch.Tensor):
        return _in_words(value)
    with Unobserved(), uncollected():
        part = _numbers(value, index)
        if part.numel() == 1:
            return _number(part.reshape(-1)[0])
        size = "×".join(map(str, part.shape))
        return f"{size}, from {_number(part.min())} to {_number(part.max())}" if part.numel() else size


def _in_words(value: Any) -> str:
    number = number_of(value)
    return plain(value if number is None else number)


def _number_there(value: Any) -> complex:
    """The number that a value is.

    Raises:
        Unreadable: it is none, and nothing of the script's is run to make it one.
    """
    number = number_of(value)
    if number is None:
        raise Unreadable("no number", f"it is {plain(value)[:80]}, which is no number")
    return number


def _number_in_order(value: Any) -> float:
    """The number that a value is, where it can be held against a range.

    Raises:
        Unreadable: it is none, or a complex one.
    """
    number = _number_there(value)
    if isinstance(number, complex):
        raise Unreadable("complex", f"it is {plain(number)}: complex numbers have no order")
    return number


def _part(value: torch.Tensor, index: str) -> torch.Tensor:
    """The part of a tensor that is meant, as a plain tensor over the same memory."""
    whole, _ = local(value)
    if whole.layout is not torch.strided or whole.is_nested or whole.is_quantized:
        dense, why = readable(value)
        if dense is None:
            raise Unreadable(why, why)
        whole = real(dense)
    if whole.device.type != "cpu":
        devices.note(whole.device)
    return whole[places_of(index, tuple(whole.shape))] if index else whole


def _numbers(value: torch.Tensor, index: str) -> torch.Tensor:
    """The part as real numbers that can be compared."""
    part = real(_part(value, index))
    return part.double() if part.dtype in (torch.float16, torch.bfloat16) or part.element_size() == 1 else part


def _mark(part: torch.Tensor, most: int) -> bytes | int:
    if not part.numel():
        return b""
    if part.nbytes <= (most if part.is_cpu else MOST):
        data = small_bytes(part.resolve_conj().resolve_neg().cpu().contiguous(), most)
        if data is not None:
            return data
    found = fingerprint(part)
    if found is None:
        raise Unreadable("cannot be read", "its elements cannot be read")
    return found


def _found(bad: torch.Tensor, part: torch.Tensor, value: Any, index: str) -> str:
    """The first of these elements, and how many there are."""
    places = bad.reshape(-1).nonzero().reshape(-1)
    if not len(places):
        return ""
    number = _number(part.reshape(-1)[places[0]])
    if part.numel() == 1:
        return f"it is {number}"
    where = _where(int(places[0]), tuple(part.shape), value, index)
    more = f", and {len(places) - 1:,} more of {part.numel():,} elements" if len(places) > 1 else ""
    return f"{where} is {number}{more}"


def _where(place: int, shape: tuple[int, ...], value: Any, index: str) -> str:
    """`[3, 7]`: the index in the whole tensor of an element of the part."""
    found = unravel(place, shape)
    if index:
        try:
            found = original(places_of(index, shape_of(value)), found)
        except SliceError:  # the tensor is another by now
            return "an element"
    return f"[{', '.join(map(str, found))}]"


def _words(flat: torch.Tensor) -> torch.Tensor:
    """The bytes of each element."""
    return flat.view(torch.uint8).reshape(-1, flat.element_size())


def _number(one: torch.Tensor) -> str:
    value = one.item()
    return f"{value:.6g}" if type(value) is float else str(value)


def _size(before: Reading, after: Reading) -> str:
    """What it was and what it is, where these are not alike."""
    was, has_become = (
        f"{'×'.join(map(str, one.shape)) or 'one'} {dtype_name(one.dtype)}" if one.dtype is not None else str(one.mark)
        for one in (before, after)
    )
    return f"from {was} to {has_become}"
