"""An unmodified script as a source of boundaries: hooks on the entry points of torch that every training loop calls.

Each wrapper says that its phase begins, calls through, and says that it has ended. It bears the file name of
`frames.INVISIBLE_FILE` and takes itself out of the tracebacks that pass through it. What the wrappers see is noted in
the registry also while a generator loop is driven, when they make no boundaries.
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from types import CodeType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.optim import Optimizer, lr_scheduler
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils.data import DataLoader, dataloader

from stepdbg.tracer import frames
from stepdbg.tracer.course import Phase
from stepdbg.tracer.sources.models import Models

if TYPE_CHECKING:
    from stepdbg.tracer.boundary import Tracer


def install(tracer: Tracer) -> None:
    """Hook everything."""
    models = Models(tracer)
    _Optimizers(tracer, models).install()
    _Backward(tracer, models).install()
    _Loaders(tracer, models).install()
    models.watch()


def wrap(owner: Any, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> None:
    """Put a wrapper in the place of `owner.attribute`; `make` gets the original and gives the wrapper."""
    original = getattr(owner, attribute)
    setattr(owner, attribute, functools.wraps(original)(frames.invisible(make(original))))


def leave(tracer: Tracer, phase: Phase | None, error: BaseException) -> None:
    """An exception passes through a wrapper: end its phase, and take the wrapper's frame out of the traceback.

    The caller re-raises with a bare `raise`, which adds no frame of its own.
    """
    if phase is not None:
        tracer.broke(phase)
    error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next


def within(tracer: Tracer, name: str) -> bool:
    """Whether a call of that phase is already open: what an override calls of its base is no phase of its own."""
    return name in tracer.course.level.inside


class _Optimizers:
    """zero_grad, step, scheduler."""

    def __init__(self, tracer: Tracer, models: Models) -> None:
        self._tracer = tracer
        self._models = models
        self._open_steps: list[tuple[int, Phase | None]] = []

    def install(self) -> None:
        for owner in (Optimizer, nn.Module):
            wrap(owner, "zero_grad", self._zero_grad)
        wrap(Optimizer, "__init__", self._made)
        register_optimizer_step_pre_hook(self._before_step)
        register_optimizer_step_post_hook(self._after_step)
        for kind in {kind for kind in vars(lr_scheduler).values() if isinstance(kind, type)}:
            if issubclass(kind, lr_scheduler.LRScheduler) and "step" in vars(kind):
                wrap(kind, "step", self._scheduler)

    def _made(self, original: Any) -> Callable[..., Any]:
        tracer, models = self._tracer, self._models

        def __init__(self: Optimizer, *args: Any, **kwargs: Any) -> None:
            try:
                original(self, *args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            tracer.registry.note_optimizer(self)
            models.watch()

        return __init__

    def _zero_grad(self, original: Any) -> Callable[..., Any]:
        tracer = self._tracer

        def zero_grad(self: Any, *args: Any, **kwargs: Any) -> Any:
            phase = None
            if tracer.listening() and not tracer.driving and not within(tracer, "zero_grad"):
                key = id(self) if isinstance(self, Optimizer) else None
                phase = tracer.begin("zero_grad", optimizer=key)
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            if phase is not None:
                tracer.end(phase)
            return result

        return zero_grad

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        tracer = self._tracer
        if not tracer.listening() or torch.compiler.is_compiling():
            return
        phase = None
        if not tracer.driving:
            phase = tracer.begin("step", optimizer=id(optimizer))
        self._open_steps.append((id(optimizer), phase))

    def _after_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> None:
        tracer = self._tracer
        if not tracer.listening():
            return
        while self._open_steps:
            key, phase = self._open_steps.pop()
            if key == id(optimizer):
                tracer.registry.note_optimizer(optimizer).steps += 1
                tracer.course.note_step(key)
                if phase is not None:
                    tracer.end(phase)
                break

    def _scheduler(self, original: Any) -> Callable[..., Any]:
        tracer = self._tracer

        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            phase = None
            # the constructor of a scheduler calls step() once: no phase
            constructing = sys._getframe(1).f_code.co_name in ("_initial_step", "__init__")
            if tracer.listening() and not (tracer.driving or constructing or within(tracer, "scheduler")):
                phase = tracer.begin("scheduler")
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            if phase is not None:
                tracer.end(phase)
            return result

        return step


class _Backward:
    """backward, and with it the loss."""

    def __init__(self, tracer: Tracer, models: Models) -> None:
        self._tracer = tracer
        self._models = models
        self._open = False
        self._names: dict[tuple[int, int], str] = {}
        """What the loss is called, by the place in the code where `backward` is called."""
        self._codes: list[CodeType] = []
        """Those whose `id` is used above."""

    def install(self) -> None:
        wrap(torch.Tensor, "backward", self._wrapper)
        wrap(torch.autograd, "backward", self._wrapper)

    def _wrapper(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def backward(*args: Any, **kwargs: Any) -> Any:
            phase = None
            outermost = not hooks._open and tracer.listening() and not torch.compiler.is_compiling()
            if outermost:
                hooks._open = True
                phase = hooks._begin(args[0] if args else kwargs.get("tensors"))
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            finally:
                if outermost:
                    hooks._open = False
            if phase is not None:
                tracer.end(phase)
            return result

        return backward

    def _begin(self, of: Any) -> Phase | None:
        tracer = self._tracer
        loss = next((tensor for tensor in (of if isinstance(of, (tuple, list)) else [of]) if tensor is not None), None)
        silent = False
        if isinstance(loss, torch.Tensor):
            if not tracer.course.pending_backward:
                self._models.watch()
            silent = self._models.made(loss)
            tracer.loss_at_backward(loss, self._name(loss))
        phase = None
        if not tracer.driving:
            if silent:
                tracer.course.retract()
            phase = tracer.begin("backward", silent=silent)
        tracer.course.pending_backward = False
        return phase

    def _name(self, loss: torch.Tensor) -> str:
        frame = frames.user_frame(sys._getframe(3))
        if frame is None:
            return "loss"
        place = (id(frame.f_code), frame.f_lasti)  # a code object's own hash goes through all its constants
        name = self._names.get(place)
        if name is None:
            self._codes.append(frame.f_code)
            variables = frames.local_variables(frame)
            name = next((key for key, value in list(variables.items()) if value is loss), "loss")
            self._names[place] = name
        return name


class _Loaders:
    """data: the next batch of a loader that feeds training."""

    def __init__(self, tracer: Tracer, models: Models) -> None:
        self._tracer = tracer
        self._models = models
        self._epochs: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()
        self._loaders: weakref.WeakKeyDictionary[Any, weakref.ref[Any]] = weakref.WeakKeyDictionary()

    def install(self) -> None:
        wrap(DataLoader, "__iter__", self._iter)
        wrap(dataloader._BaseDataLoaderIter, "__next__", self._next)

    def _iter(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def __iter__(self: Any) -> Any:
            try:
                iterator = original(self)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            if tracer.listening():
                hooks._epochs[self] = hooks._epochs.get(self, 0) + 1
                hooks._loaders[iterator] = weakref.ref(self)
            return iterator

        return __iter__

    def _next(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def __next__(self: Any) -> Any:
            phase = None
            training = tracer.listening() and torch.is_grad_enabled() and hooks._training(self)
            if training and not tracer.driving:
                phase = tracer.begin("data")
            try:
                batch = original(self)
            except BaseException as error:
                if phase is not None and isinstance(error, StopIteration):
                    tracer.course.take_back(phase)
                    tracer.end(phase)
                leave(tracer, phase, error)
                raise
            if training:
                tracer.registry.note("batch", batch)
                if phase is not None:
                    tracer.end(phase)
            return batch

        return __next__

    def _training(self, iterator: Any) -> bool:
        """Whether that iterator's loader feeds training, as far as is known; if so, it gives the epoch."""
        known = self._loaders.get(iterator)
        loader = known() if known is not None else None
        self._models.last_loader = weakref.ref(loader) if loader is not None else None
        if loader is not None and loader in self._models.evaluating:
            return False
        if loader is not None:
            self._tracer.course.epoch = self._epochs.get(loader, 1)
        return True
