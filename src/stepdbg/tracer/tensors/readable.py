"""What of a tensor can be read as numbers, and how a part of it becomes real numbers.

Not every tensor has elements that this process may ask for: their memory may be freed, on no device, another tensor's,
or not to be touched. `local` is the one gate: what passes it is a plain tensor over memory that is there, and what does
not raises `Unreadable`, before anything is asked that could run the user's code or read what is gone. So one tensor
that cannot be read is one row that says so, and nothing beside it is lost.

Nothing is converted whole that is large: what is complex or quantised stays so until a part of it has been cut out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from typing import TypeGuard

import torch
from torch.nn.parameter import is_lazy

ORDINARY = frozenset((torch.Tensor, torch.nn.Parameter))
"""Classes of tensors that hold their elements themselves."""
DENSE = 1 << 22
"""Elements up to which a sparse tensor is laid out densely."""
UNREADABLE = "cannot be read"
"""How a row begins that has no figures for that reason."""
_UNMADE = "not initialised yet"
_ON_META = "on the meta device: a shape without numbers"
_COMPRESSED = (torch.sparse_csr, torch.sparse_csc, torch.sparse_bsr, torch.sparse_bsc)
_PER_AXIS = (torch.per_channel_affine, torch.per_channel_affine_float_qparams)
"""Quantised with a scale for each channel: such a tensor cannot be cut along the others."""
_PYTHON = torch._C.DispatchKey.Python
_WORDS = 90
"""Characters of torch's own reason that are told."""


class Unreadable(Exception):
    """Elements cannot be read. Its text says why; `row` says it in the few words that a row has room for."""

    def __init__(self, row: str, why: str = "") -> None:
        super().__init__(why or row)
        self.row = row


def local(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
    """What of a tensor lies in this process, as a plain tensor over the same memory, with a word on the rest.

    A `DTensor` holds a shard of its own; an operation on the whole would wait for the other ranks.

    Raises:
        Unreadable: its elements are not there, or not to be asked for.
    """
    if type(tensor) in ORDINARY:
        _check(tensor, type(tensor))
        return tensor.detach(), ""
    with torch._C.DisableTorchFunctionSubclass():
        return _of_subclass(tensor)


def why_unreadable(tensor: torch.Tensor) -> str:
    """Why a tensor has no figures, in the few words that a row has room for; empty where it has some."""
    try:
        local(tensor)
        value, note = readable(tensor)
    except Exception as error:  # whatever a class of the user's answers
        return unreadable(tensor, error).row
    return "" if value is not None else f"{UNREADABLE} ({_short(tensor, note)})"


def unreadable(tensor: object, error: BaseException) -> Unreadable:
    """What an exception says of a tensor that was to be read."""
    if isinstance(error, Unreadable):
        return error
    name = _class(tensor)
    lines = str(error).strip().splitlines()
    words = f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
    words = words if len(words) <= _WORDS else f"{words[: _WORDS - 3]}..."
    return Unreadable(f"{UNREADABLE} ({name})", f"{UNREADABLE} ({name}): {words}")


@cache
def dtype_name(dtype: torch.dtype) -> str:
    """`float32`: what torch calls a dtype, without `torch.`."""
    return str(dtype).removeprefix("torch.")


def address_of(tensor: torch.Tensor) -> int:
    """The address of the elements that lie in this process; 0 where there are none, or they may not be asked for."""
    try:
        stored, _ = local(tensor)
        return stored.data_ptr() if stored.layout is torch.strided else 0
    except Exception:  # whatever a class of the user's answers
        return 0


def shape_of(tensor: torch.Tensor) -> tuple[int, ...]:
    """The shape, whatever the tensor is: -1 for a size that is no single number, `()` where there is none."""
    try:
        with torch._C.DisableTorchFunctionSubclass():
            return tuple([size if type(size) is int else -1 for size in torch.Tensor.size(tensor)])
    except Exception:  # nested tensors of the old kind have no sizes
        return ()


def elements_of(tensor: torch.Tensor) -> int:
    """How many elements a tensor has, whatever it is; 0 where that cannot be told."""
    try:
        with torch._C.DisableTorchFunctionSubclass():
            return int(torch.Tensor.numel(tensor))
    except Exception:
        return 0


def inner_tensors(tensor: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """The tensors that a wrapper keeps as its attributes, by name, without running any code of its class. Where no
    attribute is a tensor, those in its lists and dictionaries (a `LocalTensor` keeps one for each rank).
    """
    values: dict[str, object] = {}
    for kind in type.mro(type(tensor)):
        for name in _slots(kind):
            try:
                values[name] = kind.__dict__[name].__get__(tensor)
            except Exception:  # an empty slot, or one that is something else meanwhile
                continue
    with suppress(AttributeError):
        values |= object.__getattribute__(tensor, "__dict__")
    found = {name: value for name, value in values.items() if _is_tensor(value)}
    for name, value in values.items() if not found else ():
        entries: Iterable[tuple[object, object]] = ()
        if type(value) is dict:
            entries = value.items()
        elif type(value) in (list, tuple):
            entries = enumerate(value)  # type: ignore[arg-type]
        found |= {f"{name}[{key}]": one for key, one in entries if type(key) in (int, str) and _is_tensor(one)}
    return sorted(found.items())


def _is_tensor(value: object) -> TypeGuard[torch.Tensor]:
    return issubclass(type(value), torch.Tensor)


def is_part(tensor: torch.Tensor) -> bool:
    """Whether what lies in this process is a part of a `DTensor`, or a term of what it is the sum or the mean of."""
    with torch._C.DisableTorchFunctionSubclass():
        if type(tensor) in ORDINARY or _shard(tensor) is None:
            return False
        return not all(placement.is_replicate() for placement in getattr(tensor, "placements", ()))


def _slots(kind: type) -> Iterator[str]:
    slots = kind.__dict__.get("__slots__", ())
    for name in (slots,) if isinstance(slots, str) else tuple(slots):
        if isinstance(name, str) and name in kind.__dict__:
            yield name


def _check(tensor: torch.Tensor, kind: type) -> None:
    """See that there is memory with all the elements in it, if the tensor says that it lies in memory.

    Raises:
        Unreadable: it is not there.
    """
    if tensor.is_meta:
        raise Unreadable(f"{UNREADABLE} (meta)", _ON_META)
    if tensor.layout is not torch.strided or tensor.is_nested:
        return
    name = type.__dict__["__name__"].__get__(kind)
    try:
        storage = tensor.untyped_storage()
        stored = storage.nbytes()
        # Of a fake tensor, whose memory is on no device, torch would warn that it was asked for its address.
        address = tensor.data_ptr() if storage.device == tensor.device else 0
    except Exception as error:  # nobody may ask any more; or a wrapper of torch.func's, which has no memory
        raise unreadable(tensor, error) from error
    if (not stored or not address) and tensor.numel():
        why = "its memory has been freed" if not stored else "it has no memory of its own"
        raise Unreadable(f"{UNREADABLE} ({name})", f"{UNREADABLE} ({name}): {why}")
    if stored < _end(tensor):
        why = "its memory has become too small for it"
        raise Unreadable(f"{UNREADABLE} ({name})", f"{UNREADABLE} ({name}): {why}")


def _end(tensor: torch.Tensor) -> int:
    """The end of the last element, in bytes from the beginning of the storage."""
    if not tensor.numel():
        return 0
    reach = sum([(size - 1) * stride for size, stride in zip(tensor.size(), tensor.stride(), strict=True)])
    return int(tensor.storage_offset() + reach + 1) * tensor.element_size()


def _of_subclass(tensor: torch.Tensor) -> tuple[torch.Tensor, str]:
    kind = type(tensor)
    if is_lazy(tensor):
        raise Unreadable(_UNMADE, f"{_UNMADE}: the first forward gives it its shape and its numbers")
    if (shard := _shard(tensor)) is not None:
        stored, note = local(shard)
        size = "×".join(map(str, shape_of(tensor)))
        placements = ", ".join(str(placement) for placement in getattr(tensor, "placements", ()))
        note = f"; {note}" if note else ""
        return stored, f"this rank's shard of {size}, placed {placements or 'nowhere'}{note}"
    _check(tensor, kind)
    if not torch._C._dispatch_keys(tensor).has(_PYTHON):
        return tensor.detach(), ""
    if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_nested:
        raise Unreadable(f"{UNREADABLE} ({_class(tensor)})")
    # detach() would call the class's own __torch_dispatch__: this is another tensor over the same memory
    plain = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    plain.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())
    plain = plain.conj() if tensor.is_conj() else plain
    return (torch._neg_view(plain) if tensor.is_neg() else plain), ""


def _shard(tensor: torch.Tensor) -> torch.Tensor | None:
    """What a `DTensor` holds in this process."""
    return dict(inner_tensors(tensor)).get("_local_tensor")


def _class(tensor: object) -> str:
    return str(type.__dict__["__name__"].__get__(type(tensor)))


def _short(tensor: torch.Tensor, note: str) -> str:
    """What kind of tensor has no numbers: its class, or where that is torch's own, its layout or type."""
    if type(tensor) not in ORDINARY:
        return _class(tensor)
    return note.partition(":")[0] or _class(tensor)


def stored_bytes(tensor: torch.Tensor) -> int:
    """Bytes that it takes in this process: of a `DTensor` its shard, of a sparse one what it stores."""
    if type(tensor) in ORDINARY and tensor.layout is torch.strided:  # most are, and a stop may ask for each
        return tensor.nbytes
    try:
        tensor, _ = local(tensor)
        if tensor.layout is torch.sparse_coo:
            return tensor._values().nbytes + tensor._indices().nbytes
        if tensor.layout in _COMPRESSED:
            return tensor.values().nbytes
        return tensor.nbytes if tensor.layout is torch.strided else 0
    except Exception:  # what cannot be read is its wrapper's own
        return elements_of(tensor) * tensor.dtype.itemsize


def readable(tensor: torch.Tensor) -> tuple[torch.Tensor | None, str]:
    """The tensor in a form that can be cut, and what a reader must know of it; None where there are no numbers.

    What is cut from it may still be complex or quantised: see `real`.
    """
    try:
        tensor, note = local(tensor)
        notes = [note] if note else []
        if tensor.is_nested and tensor.layout is torch.strided:
            tensor = tensor.values()
            notes.append("nested: its parts are shown one after the other")
        if tensor.layout is not torch.strided:
            layout = str(tensor.layout).removeprefix("torch.")
            if tensor.numel() > DENSE:
                return None, f"{layout}: too large to be shown dense; figures are of all elements"
            tensor = tensor.to_dense()
            notes.append(f"{layout}: shown dense")
    except Exception as error:  # whatever a layout has no operator for, or a class of the user's answers
        return None, str(unreadable(tensor, error))
    if tensor.is_quantized:
        notes.append("quantised: shown dequantised")
        if tensor.qscheme() in _PER_AXIS:
            tensor = tensor.dequantize()
    if tensor.is_complex():
        notes.append("complex: shown as absolute values")
    if not _has_numbers(tensor):
        return None, f"{str(tensor.dtype).removeprefix('torch.')}: torch has no numbers of this type to show"
    return tensor, "; ".join(notes)


def real(part: torch.Tensor) -> torch.Tensor:
    """A part of a readable tensor as real numbers; what holds such already is given back as it is."""
    if part.is_quantized:
        part = part.dequantize()
    if part.is_complex():
        part = part.abs() if part.dtype is not torch.complex32 else part.to(torch.complex64).abs()
    return part


def _has_numbers(tensor: torch.Tensor) -> bool:
    """Whether torch can convert elements of this type: some (`bits8`, `float4_e2m1fn_x2`) it only stores."""
    if tensor.is_quantized or tensor.is_complex():  # of a complex number a conversion would warn
        return True
    known = _CONVERTED.get(tensor.dtype)
    if known is None:
        one = torch.zeros(tensor.element_size(), dtype=torch.uint8, device="cpu")
        try:
            one.view(tensor.dtype).to(torch.float64)
            known = True
        except RuntimeError:
            known = False
        _CONVERTED[tensor.dtype] = known
    return known


_CONVERTED: dict[torch.dtype, bool] = {}
"""Types that were tried, and whether torch can convert them."""
