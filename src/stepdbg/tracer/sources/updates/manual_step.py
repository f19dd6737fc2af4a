"""A step by hand: parameters moved after backward, with no optimizer in the program.

Where there is none, a stretch after backward, after clipping or after an evaluation is taken for a step; when the next
phase begins, it is looked whether any of the tensors that got gradients has changed, or another one has taken its place
in the user's variables. `p.data.add_` moves no version counter, so the bytes are compared too: all of a small tensor,
pieces of a large one, on a device a few elements that are fetched together. If nothing has happened the two boundaries
are one.
"""

from __future__ import annotations

import ctypes
import weakref
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
import xxhash

from stepdbg.protocol.phases import KINDS
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import parameters_in
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.unobserved import Unobserved, unseen
from stepdbg.tracer.objects.other_threads import gradient
from stepdbg.tracer.objects.variable_names import reachable_from
from stepdbg.tracer.tensors.autograd_nodes import walked

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink

_SAMPLED = 256
"""The number of tensors whose bytes are compared; of all others the version counter and the address are."""
_WHOLE = 1 << 16
"""Up to so many bytes a tensor is compared as a whole."""
_PIECES, _PIECE = 64, 256
"""The number of pieces that are compared of a larger tensor, and their size in bytes."""
_FETCHED = 32
"""The number of elements that are compared of a tensor on a device."""
_is_functorchs = torch._C._functorch.is_functorch_wrapped_tensor
_FOLLOWED_BY_A_STEP = frozenset(kind.name for kind in KINDS if kind.precedes_step)
"""What a script may do between backward and its step."""


class _Leaf(NamedTuple):
    """A tensor that got a gradient, as it was after backward."""

    ref: weakref.ref[torch.Tensor]
    version: int
    address: int
    shape: tuple[int, ...]
    name: str
    """The user's variable."""


class ManualSteps:
    """What comes after backward in a program without an optimizer."""

    def __init__(self, tracer: Sink) -> None:
        self._tracer = tracer
        self._waiting: list[_Leaf] = []
        """The leaves that have not moved since their backward."""
        self._prints: list[object] = []
        self.coming: list[torch.Tensor] | None = None
        """The leaves of the backward that is about to begin."""
        tracer.listeners.call_ended = self._after

    @property
    def possible(self) -> bool:
        """Whether no optimizer is there that would step."""
        return not self._tracer.registry.has_optimizers

    def begins(self, of: Any) -> None:
        """A backward is about to begin: what it leads to may have taken the place of what an earlier one led to."""
        if self._waiting and self.possible:
            with unseen():
                self.coming = _leaves_of(of)

    def expect(self, of: Any, inputs: Any = None) -> None:
        """A backward has just ended at the level of the script: begin a step, to be confirmed later.

        Args:
            of: What it was called on.
            inputs: What `torch.autograd.grad` was asked to differentiate by.
        """
        try:
            with unseen():
                found = self._leaves(of, inputs)
            if found:
                self._begin()
        except Exception as error:
            self._tracer.gave_up(error)

    def _leaves(self, of: Any, inputs: Any) -> bool:
        """Whether anything got gradients that may be moved by hand."""
        registry = self._tracer.registry
        leaves = [leaf for leaf in _listed(inputs) if leaf.is_leaf] if inputs is not None else _leaves_of(of)
        leaves = [leaf for leaf in leaves if not _is_functorchs(leaf)]  # one within a transform is moved by nobody
        if inputs is None:
            leaves = [leaf for leaf in leaves if gradient(leaf) is not None] or [
                parameter
                for _, model in registry.models()
                for parameter in parameters_in(model)
                if gradient(parameter) is not None
            ]
        if leaves:
            registry.leaves.note(leaves)
            self._look_at(leaves)
        return bool(leaves)

    def _look_at(self, leaves: list[torch.Tensor]) -> None:
        known = {id(p) for _, model in self._tracer.registry.models() for p in parameters_in(model)}
        names = {} if all(id(leaf) in known for leaf in leaves) else self._names()
        self._waiting = [
            _Leaf(weakref.ref(leaf), _version(leaf), _address(leaf), tuple(leaf.shape), names.get(id(leaf), ""))
            for leaf in leaves
        ]
        self._prints = _samples(leaves[:_SAMPLED])

    def _after(self, name: str) -> None:
        """A call of that phase has ended at the level of the script."""
        if name in _FOLLOWED_BY_A_STEP and self._waiting and self.possible:
            self._begin()

    def _begin(self) -> None:
        phase = self._tracer.begin("step", None, False, predicted=True)
        phase.doubt = self._stepped

    def _stepped(self) -> bool:
        """Whether parameters have moved since backward."""
        coming, self.coming = self.coming, None
        with unseen():
            if not self._waiting or not (self._moved() or self._replaced(coming)):
                return False
        self._waiting, self._prints = [], []
        self._tracer.registry.leaves.steps += 1
        return True

    def _moved(self) -> bool:
        tensors = [(leaf, tensor) for leaf in self._waiting if (tensor := leaf.ref()) is not None]
        if any(_version(tensor) != leaf.version or _address(tensor) != leaf.address for leaf, tensor in tensors):
            return True
        sampled = [leaf.ref() for leaf in self._waiting[:_SAMPLED]]
        there = [tensor for tensor in sampled if tensor is not None]
        return len(there) == len(sampled) and _samples(there) != self._prints

    def _replaced(self, coming: list[torch.Tensor] | None) -> bool:
        """Whether others have taken the place of all of them: `w = (w - lr * w.grad).detach().requires_grad_()`."""
        if coming:
            same = {id(tensor) for leaf in self._waiting if (tensor := leaf.ref()) is not None}
            shapes = sorted(leaf.shape for leaf in self._waiting)
            if same.isdisjoint(map(id, coming)) and sorted(tuple(leaf.shape) for leaf in coming) == shapes:
                return not any(self._tracer.registry.newest.includes("batch", leaf) for leaf in coming)
        named = {leaf.name: leaf for leaf in self._waiting if leaf.name}
        if not named or len(named) < len(self._waiting):
            return False
        now = {name: tensor for tensor, name in self._reachable() if name in named}
        return len(now) == len(named) and all(
            now[name] is not leaf.ref() and now[name].requires_grad and tuple(now[name].shape) == leaf.shape
            for name, leaf in named.items()
        )

    def _names(self) -> dict[int, str]:
        return {id(tensor): name for tensor, name in self._reachable()}

    def _reachable(self) -> list[tuple[torch.Tensor, str]]:
        stack = frames.stack(frames.user_frame(frames.innermost()))
        reachable = reachable_from(list(frames.scopes(stack)))
        found = ((ref(), reachable.names.get(key, "")) for key, ref in reachable.tensors.items())
        return [(tensor, name) for tensor, name in found if tensor is not None and name]


def _listed(tensors: Any) -> list[torch.Tensor]:
    several = tensors if isinstance(tensors, (tuple, list)) else [tensors]
    return [tensor for tensor in several if is_a(tensor, torch.Tensor)]


def _leaves_of(of: Any) -> list[torch.Tensor]:
    """The leaves of a graph, which still stands after backward."""
    try:
        return walked(_listed(of))[1]
    except (RuntimeError, TypeError, AttributeError):  # of a subclass, or of what backward itself will refuse
        return []


def _version(tensor: torch.Tensor) -> int:
    return -1 if tensor.is_inference() else tensor._version


def _address(tensor: torch.Tensor) -> int:
    try:
        return tensor.data_ptr()
    except (RuntimeError, NotImplementedError):
        return 0


def _samples(tensors: list[torch.Tensor]) -> list[object]:
    """Some of what these tensors hold, to be held against the same later."""
    found: list[object] = []
    away: dict[tuple[torch.device, torch.dtype], list[torch.Tensor]] = {}
    for tensor in tensors:
        if type(tensor) not in (torch.Tensor, torch.nn.Parameter) or tensor.layout is not torch.strided:
            continue
        if (
            tensor.numel() == 0
            or tensor.device.type == "meta"
            or (tensor.device.type == "cpu" and not _address(tensor))
        ):
            continue
        if tensor.device.type == "cpu":
            found.append(_bytes_of(tensor))
        else:
            away.setdefault((tensor.device, tensor.dtype), []).append(tensor)
    if away:
        with Unobserved():
            found += [fetched_elements(together) for together in away.values()]
    return found


def fetched_elements(tensors: list[torch.Tensor]) -> bytes:
    """A few elements of each tensor, of one device and dtype, fetched at once: one wait for all of them."""
    few = []
    for tensor in tensors:
        length = 1 + _reach(tensor)
        step = max(1, length // _FETCHED)
        count = (length - 1) // step + 1
        few.append(tensor.detach().as_strided((min(count, _FETCHED + 1),), (step,)))
    whole = torch.cat(few).cpu()
    return ctypes.string_at(whole.data_ptr(), whole.nbytes)


def _bytes_of(tensor: torch.Tensor) -> int:
    size = tensor.element_size() * (1 + _reach(tensor))
    start = tensor.data_ptr()
    if size <= _WHOLE:
        return xxhash.xxh3_64_intdigest(ctypes.string_at(start, size))
    digest = xxhash.xxh3_64()
    for piece in range(_PIECES):
        digest.update(ctypes.string_at(start + (size - _PIECE) * piece // (_PIECES - 1), _PIECE))
    return digest.intdigest()


def _reach(tensor: torch.Tensor) -> int:
    """How far the last element lies from the first, in elements."""
    return sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
