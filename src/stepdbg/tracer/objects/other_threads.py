"""What threads of the script's own train, beside the thread that is debugged.

Autograd writes `.grad` without the GIL. Whoever reads the `.grad` of a parameter meanwhile may get a tensor that is
just being freed, and the process dies. So every backward of another thread is noted while it runs, and no `.grad` is
read that it may write (`gradient`). None begins in the middle of a reading: it waits for the moment that this takes.
The thread that reads waits for no backward, so that nothing can hang.

What only another thread trains is not listed at all: it changes at moments of its own, which are no phase's doing.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable, Sequence
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


class BesideBackward:
    """A backward of another thread: it is entered around the call. (A context manager adds no line to a traceback.)"""

    __slots__ = ("_leaves", "_roots")

    def __init__(self, of: Any) -> None:
        self._roots: list[Any] | None = None
        """Nodes where it begins, which keep their graph; None where that is not known."""
        with suppress(Exception):  # of a subclass, or of what backward itself will refuse
            self._roots = [node_of(output) for output in (of if isinstance(of, (tuple, list)) else (of,))]
        self._leaves: frozenset[int] | None = None

    def __enter__(self) -> None:
        with _turn:
            _running.append(self)

    def __exit__(self, *_: object) -> None:
        if self in _running:  # not in a child that was forked in its middle
            _running.remove(self)

    def writes(self, parameter: torch.Tensor) -> bool:
        """Whether it may write the `.grad` of that one."""
        if self._roots is None or not parameter.is_leaf:
            return True
        if self._leaves is None:
            self._leaves = frozenset(map(id, walked(self._roots)[1]))
        return id(parameter) in self._leaves


_turn = RLock()
"""Held while `.grad` is read, and to begin a backward in another thread."""
_running: list[BesideBackward] = []


def _forked() -> None:
    """Other threads are not in the child."""
    global _turn
    _turn = RLock()
    _running.clear()


os.register_at_fork(after_in_child=_forked)


def gradient(parameter: torch.Tensor) -> torch.Tensor | None:
    """The `.grad`; None too while another thread's backward may write it.

    It is read without the warning that torch gives for a tensor that is no leaf (a parameter that an inner loop has
    computed: `higher`, torchopt).
    """
    if not (parameter.is_leaf or parameter.retains_grad):
        return None
    with _turn:
        if _running and any(backward.writes(parameter) for backward in tuple(_running)):
            return None
        return parameter.grad


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
