"""What threads of the script's own train, beside the thread that is debugged.

Autograd writes `.grad` without the GIL, and torch gives the GIL away while it frees a `.grad` that was set to None.
Whoever reads the `.grad` of a parameter meanwhile may get a tensor that is just being freed, and the process dies. So
every backward and `zero_grad` of another thread is noted while it runs, and no `.grad` is read that it may write
(`gradient`). None begins in the middle of a reading: it waits for the moment that this takes. The thread that reads
waits for none, so that nothing can hang. The hooks of a parameter that autograd calls once it has written `.grad` are
likewise neither added nor taken away meanwhile (`hook_gradient`).

What only another thread trains is not listed at all: it changes at moments of its own, which are no phase's doing.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from threading import RLock
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from stepdbg.tracer.introspect.layout import optimized_by, parameters_in
from stepdbg.tracer.tensors.autograd_nodes import node_of, walked

_NOTICE = (
    "another thread of the script trains too: what only that thread trains is not shown, and no gradient is read "
    "while its backward may write it"
)


class _Beside:
    """What another thread does to gradients: it is entered around the call. (A context manager adds no line to a
    traceback.)
    """

    __slots__ = ("_written",)

    def __init__(self) -> None:
        self._written: frozenset[int] | None = None
        """What may be written, by `id`; None until somebody asks."""

    def __enter__(self) -> None:
        with _turn:
            _running.append(self)

    def __exit__(self, *_: object) -> None:
        with _turn:
            if self in _running:  # not in a child that was forked in its middle
                _running.remove(self)
            _take_away_left()

    def writes(self, parameter: torch.Tensor) -> bool:
        """Whether the `.grad` of a parameter may be written."""
        if not parameter.is_leaf:
            return True
        if self._written is None:
            found = self._find()
            if found is None:
                return True
            self._written = frozenset(map(id, found))
        return id(parameter) in self._written

    def _find(self) -> Iterable[torch.Tensor] | None:
        """The leaves whose `.grad` may be written; None where that is not known."""
        raise NotImplementedError


class BesideBackward(_Beside):
    """A backward of another thread.

    Args:
        of: What `backward` is called on.
    """

    __slots__ = ("_roots",)

    def __init__(self, of: Any) -> None:
        super().__init__()
        self._roots: list[Any] | None = None
        """The nodes where the backward begins, which keep their graph; None where that is not known."""
        with suppress(Exception):  # of a subclass, or of what backward itself will refuse
            self._roots = [node_of(output) for output in (of if isinstance(of, (tuple, list)) else (of,))]

    def _find(self) -> Iterable[torch.Tensor] | None:
        return None if self._roots is None else walked(self._roots)[1]


class BesideZeroGrad(_Beside):
    """A `zero_grad` of another thread.

    Args:
        owner: The optimizer or module whose method is called.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner: Any) -> None:
        super().__init__()
        self._owner = owner

    def _find(self) -> Iterable[torch.Tensor] | None:
        if issubclass(type(self._owner), Optimizer):
            return optimized_by(self._owner)
        return parameters_in(self._owner) if issubclass(type(self._owner), nn.Module) else None


_turn = RLock()
"""Held while `.grad` is read, and to begin a backward or `zero_grad` in another thread."""
_running: list[_Beside] = []
_left: list[GradientHook] = []
"""Hooks that could not be taken away when they were to be."""


def _forked() -> None:
    """Other threads are not in the child."""
    global _turn
    _turn = RLock()
    _running.clear()


os.register_at_fork(after_in_child=_forked)


def gradient(parameter: torch.Tensor) -> torch.Tensor | None:
    """The `.grad`; None too while another thread may write it.

    It is read without the warning that torch gives for a tensor that is no leaf (a parameter that an inner loop has
    computed: `higher`, torchopt).
    """
    if not (parameter.is_leaf or parameter.retains_grad):
        return None
    with _turn:
        return None if is_written_beside(parameter) else parameter.grad


def is_written_beside(parameter: torch.Tensor) -> bool:
    """Whether another thread's backward or `zero_grad`, which runs, may write the `.grad`."""
    with _turn:
        return any(one.writes(parameter) for one in tuple(_running))


class GradientHook:
    """A hook of a leaf that autograd calls once it has written `.grad`.

    Args:
        leaf: The leaf; no other thread's backward may write its `.grad` just now.
        hook: The hook. It is not called any more once it was taken away, nor for what another thread's backward writes.
    """

    def __init__(self, leaf: torch.Tensor, hook: Callable[[torch.Tensor], None]) -> None:
        self._leaf, self._hook = leaf, hook
        self._wanted = True
        self._was_bare = leaf._post_accumulate_grad_hooks is None
        """Whether the leaf had no such hook, and is to be left as it was."""
        self._handle = leaf.register_post_accumulate_grad_hook(self._called)  # type: ignore[no-untyped-call]

    def _called(self, leaf: torch.Tensor) -> None:
        if self._wanted and not is_written_beside(leaf):
            self._hook(leaf)

    def take_away(self) -> None:
        """Leave the leaf as it was, now or when no other thread's backward may write its `.grad` any more."""
        self._wanted = False
        with _turn:
            _left.append(self)
            _take_away_left()

    def went(self) -> bool:
        """Take the hook away, unless somebody may be calling it; whether it is gone."""
        leaf = self._leaf
        if is_written_beside(leaf):
            return False
        self._handle.remove()
        if self._was_bare and not leaf._post_accumulate_grad_hooks:
            leaf._post_accumulate_grad_hooks = None  # type: ignore[assignment]
        return True


def hook_gradient(leaf: torch.Tensor, hook: Callable[[torch.Tensor], None]) -> GradientHook | None:
    """Have that hook called with a leaf once its `.grad` is written; None where another thread's backward may be
    writing it.
    """
    with _turn:
        return None if is_written_beside(leaf) else GradientHook(leaf, hook)


def _take_away_left() -> None:
    """Take away the hooks that are no longer wanted, as far as nobody may be calling them."""
    _left[:] = [hook for hook in _left if not hook.went()]


def gradients(parameters: Sequence[torch.Tensor]) -> list[torch.Tensor | None]:
    """`gradient` of each."""
    with _turn:
        if _running:
            return list(map(gradient, parameters))
        return [one.grad if one.is_leaf or one.retains_grad else None for one in parameters]


class OtherThreads:
    """The optimizers that other threads use."""

    def __init__(self) -> None:
        self._optimizers: dict[int, weakref.ref[Optimizer]] = {}
        self._notified = False
        self.tell: Callable[[str], None] = lambda _: None
        """Tells the user something, once."""

    def note(self, used: Any) -> None:
        """Another thread has called a method of that object, maybe an optimizer."""
        inside = torch._C._current_graph_task_id() != -1  # in a thread of autograd's, which belongs to a backward
        known = self._optimizers.get(id(used))
        if issubclass(type(used), Optimizer) and not inside and (known is None or known() is not used):
            self._optimizers[id(used)] = weakref.ref(used)

    def forget(self) -> None:
        """Another thread is the one that is debugged from now on."""
        self._optimizers.clear()

    def alone_use(self, optimizer: Optimizer, steps: int) -> bool:
        """Whether that one, of so many steps in the thread that is debugged, is used by other threads only."""
        known = self._optimizers.get(id(optimizer))
        return known is not None and known() is optimizer and not steps

    def alone_train(self, model: nn.Module, optimized: set[int] | frozenset[int]) -> bool:
        """Whether other threads' optimizers hold parameters of that model, and none that is listed does.

        Args:
            model: One that the debugged thread has never called.
            optimized: The parameters of the optimizers listed, by `id`.
        """
        theirs = {
            id(parameter)
            for known in tuple(self._optimizers.values())
            if (optimizer := known()) is not None
            for parameter in optimized_by(optimizer)
        }
        own = set(map(id, parameters_in(model))) if theirs else set()
        return not own.isdisjoint(theirs) and own.isdisjoint(optimized)

    def say_so(self, *, seen: bool = False) -> None:
        """Tell the user, once, if there are any, or one was `seen` to train."""
        if not self._notified and (seen or self._optimizers or _running):
            self._notified = True
            self.tell(_NOTICE)
