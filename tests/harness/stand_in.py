"""A stand-in for an accelerator: tensors that say `cuda:0`, whose numbers real torch computes on the CPU.

It is a double of a device, not of torch: every operator runs, and what comes out is right. What it adds is the ledger
of a device: how many kernels were started, how often the host had to wait for an answer, and how many bytes lay on the
device at most. So a test can hold a function to “one wait and 60 MB” where there is no GPU. It knows nothing of speed,
of streams that overtake each other, or of what only a driver does.
"""

from __future__ import annotations

import weakref
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("cuda", 0)
_WAITS = ("_local_scalar_dense", "nonzero", "_unique2", "unique_dim", "masked_select", "equal", "is_nonzero")
"""Operators whose result the host has to know before it can go on."""
_COPIES = ("_to_copy", "copy_")
_FACTORIES = ("empty", "zeros", "ones", "full", "arange", "tensor", "linspace", "rand", "randn")


_ANSWERS = (
    torch.Tensor.tolist, torch.Tensor.__float__, torch.Tensor.__int__, torch.Tensor.__bool__, torch.Tensor.__index__,
)  # fmt: skip


class Ledger:
    """What was asked of the device."""

    def __init__(self) -> None:
        self.kernels: Counter[str] = Counter()
        """Operators that compute or copy, by name."""
        self.waits: Counter[str] = Counter()
        """Those that the host waits for."""
        self.fetched = 0
        """Bytes that came to the host."""
        self.held = 0
        """Bytes that lie on the device now."""
        self.peak = 0
        """Bytes that lay there at most."""
        self._owners: Counter[int] = Counter()

    def keep(self, storage: torch.UntypedStorage) -> tuple[int, int]:
        """A tensor lies in that memory."""
        key, size = storage._cdata, storage.nbytes()
        if not self._owners[key]:
            self.held += size
            self.peak = max(self.peak, self.held)
        self._owners[key] += 1
        return key, size

    def give_back(self, key: int, size: int) -> None:
        """One tensor fewer lies there."""
        self._owners[key] -= 1
        if not self._owners[key]:
            self.held -= size


class _Storage:
    """The memory of a tensor, as far as anybody may ask for it."""

    def __init__(self, held: torch.UntypedStorage) -> None:
        self.device, self.nbytes, self.data_ptr = DEVICE, held.nbytes, held.data_ptr


_ledgers: list[Ledger] = [Ledger()]


class OnDevice(torch.Tensor):
    """A tensor of that device; `held` is where its numbers are."""

    held: torch.Tensor
    place = DEVICE

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> OnDevice:
        shape, strides, offset = held.shape, held.stride(), held.storage_offset()
        made: OnDevice = torch.Tensor._make_wrapper_subclass(
            cls, shape, strides=strides, storage_offset=offset, dtype=held.dtype, device=cls.place
        )
        if held.is_conj():
            torch._C._set_conj(made, True)
        if held.is_neg():
            torch._C._set_neg(made, True)
        made.held = held
        ledger = _ledgers[-1]
        weakref.finalize(made, ledger.give_back, *ledger.keep(held.untyped_storage()))
        return made

    def __init__(self, held: torch.Tensor) -> None:
        pass

    @classmethod
    def asked(cls) -> None:
        """The host is about to be answered."""

    def data_ptr(self) -> int:
        """Where its numbers begin."""
        return self.held.data_ptr()

    def untyped_storage(self) -> Any:
        """The memory that they lie in."""
        return _Storage(self.held.untyped_storage())

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        name = func._schema.name.removeprefix("aten::")
        given = [one for one in tree_leaves((args, kwargs)) if isinstance(one, OnDevice)]
        known = {id(one.held): one for one in given}
        to_host = kwargs.get("device") is not None and torch.device(kwargs["device"]).type == "cpu"
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")

        def unwrapped(one: Any) -> Any:
            return one.held if isinstance(one, OnDevice) else one

        found = func(*tree_map(unwrapped, args), **tree_map(unwrapped, kwargs))
        ledger = _ledgers[-1]
        writes_host = name == "copy_" and not isinstance(args[0], OnDevice)
        reads_host = name == "copy_" and not isinstance(args[1], OnDevice) and args[1].numel() > 1
        masked = name == "index" and any(
            one is not None and one.dtype in (torch.bool, torch.uint8) for one in tree_leaves(args[1])
        )
        at_leisure = kwargs.get("non_blocking") or (name == "copy_" and len(args) > 2 and args[2])
        if name in _WAITS or masked or to_host or ((writes_host or reads_host) and not at_leisure):
            ledger.waits[name] += 1
        if to_host or writes_host:
            ledger.fetched += found.nbytes
            return found if writes_host or found is not unwrapped(args[0]) else found.clone()
        if not func.is_view and name not in ("detach", "_local_scalar_dense"):
            ledger.kernels[name] += 1

        def wrapped(one: Any) -> Any:
            if not isinstance(one, torch.Tensor) or isinstance(one, OnDevice):
                return one
            return known[id(one)] if id(one) in known else OnDevice(one)

        return tree_map(wrapped, found)


class _AboveOperators(TorchFunctionMode):
    """What Python's binding does itself: what is made on the device without a tensor to go by, indices, and answers
    as Python's own numbers. Without the device's driver it would not get as far as an operator.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if args and isinstance(args[0], OnDevice):
            if func in _ANSWERS:
                type(args[0]).asked()
                if func is torch.Tensor.tolist:
                    return torch.ops.aten._to_copy(args[0], device="cpu").tolist()
                return getattr(torch.ops.aten._local_scalar_dense(args[0]), func.__name__)()
            if func is torch.Tensor.contiguous:
                whole = args[0].is_contiguous()
                return args[0] if whole else torch.ops.aten.clone(args[0], memory_format=torch.contiguous_format)
            if func is torch.Tensor.__invert__:
                return torch.ops.aten.bitwise_not(args[0])
            if func is torch.nonzero:
                return torch.ops.aten.nonzero(args[0])
            if func is torch.Tensor.copy_:
                return torch.ops.aten.copy_(args[0], args[1], kwargs.get("non_blocking", False))
            if func is torch.Tensor.__getitem__:
                return _indexed(args[0], args[1])
        device = kwargs.get("device")
        if func is torch.Tensor.to and len(args) > 1 and args[1] == DEVICE:
            if isinstance(args[0], OnDevice):
                return args[0]
            _ledgers[-1].waits["to"] += 1
            return OnDevice(args[0].clone())
        if device is None or torch.device(device).type != DEVICE.type:
            return func(*args, **kwargs)
        name = getattr(func, "__name__", "")
        if name in _FACTORIES:
            _ledgers[-1].kernels[name] += 1
            return OnDevice(func(*args, **{**kwargs, "device": "cpu"}))
        return func(*args, **kwargs)


def _indexed(tensor: OnDevice, index: Any) -> OnDevice:
    """Part of a tensor: a view, or a copy of what other tensors say."""
    places = [one for one in tree_leaves(index) if isinstance(one, torch.Tensor)]
    if places and index is places[0]:
        return torch.ops.aten.index.Tensor(tensor, [index])
    if any(one.dtype in (torch.bool, torch.uint8) for one in places):
        _ledgers[-1].waits["index by mask"] += 1
    if places:
        _ledgers[-1].kernels["index"] += 1
    return type(tensor)(tensor.held[tree_map(lambda one: one.held if isinstance(one, OnDevice) else one, index)])


@contextmanager
def ledger() -> Iterator[Ledger]:
    """What is asked of the device within, from nothing."""
    _ledgers.append(Ledger())
    try:
        with torch.no_grad(), _AboveOperators():
            yield _ledgers[-1]
    finally:
        _ledgers.pop()


def there(tensor: torch.Tensor) -> OnDevice:
    """That tensor, on the device."""
    return OnDevice(tensor)
