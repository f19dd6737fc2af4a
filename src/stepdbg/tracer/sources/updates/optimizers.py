"""zero_grad, step and scheduler: the calls of optimizers and of what drives their hyperparameters."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from threading import get_ident
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import torch
from torch import compiler as compiling
from torch import nn
from torch.compiler import is_dynamo_compiling
from torch.optim import Optimizer, lr_scheduler

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.objects.other_threads import BesideZeroGrad
from stepdbg.tracer.objects.outliving import Named
from stepdbg.tracer.objects.unwrap import key_of
from stepdbg.tracer.patching.wrap import wrap, wrap_once, wrapper_of
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.sources.forward import Models
from stepdbg.tracer.sources.free_run import NOTED, STEP, ZERO_GRAD
from stepdbg.tracer.sources.wrapping import leave
from stepdbg.tracer.stays_here import StaysHere

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink

_nodes_so_far = torch._C._autograd._get_sequence_nr
"""The number that this thread's next node of a graph will have."""


class Optimizers(StaysHere):
    """Every optimizer that derives from torch's, and every scheduler."""

    def __init__(self, tracer: Sink, models: Models) -> None:
        self._tracer = tracer
        self._models = models
        self.noted, self.key_of, self.leave, self.beside = NOTED, key_of, leave, BesideZeroGrad
        """What the wrappers of a script's own classes need (`StaysHere`)."""
        self.open: list[int] = []
        """The optimizers whose step runs, by their keys, outermost first."""
        self.stepped: int | None = None
        """The optimizer that has stepped last, by its key."""
        self._used: Named | None = None
        """The optimizer used last, or what it wraps."""
        self._key: int | None = None
        """What it goes by (`key_of`)."""

    def install(self) -> None:
        """Hook them."""
        for owner in (Optimizer, nn.Module):
            wrap(owner, "zero_grad", self._zero_grad)
        self._models.on_new = lambda model: self._wrap_own(type(model), nn.Module, "zero_grad", self._zero_grad)
        wrap(Optimizer, "__init__", self._made)
        original = Optimizer.profile_hook_step
        Optimizer.profile_hook_step = staticmethod(  # type: ignore[assignment, method-assign]
            lambda function: wrapper_of(function, self._step(original(function)))
        )
        for kind in {kind for kind in vars(lr_scheduler).values() if isinstance(kind, type)}:
            if issubclass(kind, lr_scheduler.LRScheduler):
                wrap_once(kind, "step", self._scheduler)
        wrap(lr_scheduler.LRScheduler, "__init__", self._scheduler_made)

    def _zero_grad(self, original: Any) -> Callable[..., Any]:
        hooks, tracer, log, tracker = self, self._tracer, self._tracer.free_run, self._tracer.tracker

        def zero_grad(*args: Any, **kwargs: Any) -> Any:
            if not hooks or is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(*args, **kwargs)
            phase: Phase | None = None
            beside: BesideZeroGrad | None = None
            try:
                if (
                    (now := monotonic_ns()) < log.zero_grad_due
                    and log.open is None
                    and len(log.notes) < log.most
                    and get_ident() == log.thread
                    and (log.still is None or log.still())
                    and (not tracker.pending_backward or log.may_have_loss())
                    and (log.after_step is None or log.knows("zero_grad", sys._getframe(1)))
                    and ((checks := log.checks) is None or not checks.bad_before("zero_grad"))
                ):  # in a free run: see free_run.py
                    log.open, phase = "zero_grad", hooks.noted
                    used = hooks._used
                    if args and used is not None and used.ref() is args[0]:
                        key = hooks._key
                    else:
                        key = hooks.key_of(args[0]) if args else None
                    log.notes += ("zero_grad", key, now)
                    log.starts[ZERO_GRAD] = now
                elif tracer.admits("zero_grad"):
                    phase = tracer.begin("zero_grad", hooks.key_of(args[0]) if args else None)
                elif get_ident() != log.thread and args:
                    tracer.registry.others.note(args[0])
                    beside = hooks.beside(args[0])
            except Exception as error:
                tracer.gave_up(error)
            try:
                if beside is not None:
                    with beside:
                        return original(*args, **kwargs)
                result = original(*args, **kwargs)
            except BaseException as error:
                hooks.leave(tracer, phase, error)
                raise
            if phase is hooks.noted and log.phase is None and log.still is None:
                log.open = None
                log.notes.append(monotonic_ns())
            elif phase is not None:
                tracer.ended(phase)
            return result

        return zero_grad

    def _made(self, original: Any) -> Callable[..., Any]:
        tracer, models = self._tracer, self._models

        def __init__(self: Optimizer, *args: Any, **kwargs: Any) -> None:
            try:
                original(self, *args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            try:
                hooks._wrap_own(type(self), Optimizer, "zero_grad", hooks._zero_grad)
                if tracer.listening() or tracer.following.undecided:
                    named = tracer.registry.note_optimizer(self)
                    named.made = named.made or frames.user_calls(sys._getframe(1))
                    phases = tracer.phases
                    phases.optimizers.note_made(key_of(self), in_first_update=not phases.before)
                    models.watch()
            except Exception as error:
                tracer.gave_up(error)

        hooks = self
        return __init__

    def _scheduler_made(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            try:
                hooks._wrap_own(type(self), lr_scheduler.LRScheduler, "step", hooks._scheduler)
            except Exception as error:
                tracer.gave_up(error)
            try:
                original(self, *args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise

        return __init__

    def _wrap_own(self, kind: type, base: type, attribute: str, make: Callable[[Any], Callable[..., Any]]) -> None:
        """A subclass of the user's or a library's may override what is hooked on torch's own class."""
        for owner in kind.__mro__[: kind.__mro__.index(base)]:
            if attribute in vars(owner):
                wrap_once(owner, attribute, make)

    def _step(self, original: Any) -> Callable[..., Any]:
        hooks, tracer, log, tracker = self, self._tracer, self._tracer.free_run, self._tracer.tracker

        def step(*args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(*args, **kwargs)
            optimizer: Any = args[0]
            phase: Phase | None = None
            key: int | None = None
            outermost = False
            try:
                if (
                    (now := monotonic_ns()) < log.step_due
                    and log.open is None
                    and len(log.notes) < log.most
                    and len(args) == 1
                    and not kwargs
                    and (used := hooks._used) is not None
                    and (mine := used.ref()) is not None
                    and mine is optimizer
                    and hooks._key is not None
                    and get_ident() == log.thread
                    and (log.still is None or log.still())
                    and (not tracker.pending_backward or log.may_have_loss())
                    and (log.after_step is None or log.knows("step", sys._getframe(1)))
                    and ((holds := log.norm_holds) is None or not holds())
                    and ((checks := log.checks) is None or not checks.bad_before("step"))
                ):  # the usual one, in a free run: see free_run.py
                    key = hooks._key
                    log.open, phase, log.after_step = "step", NOTED, key
                    log.notes += ("step", key, now)
                    log.starts[STEP] = now
                    hooks.open.append(key)
                    outermost = True
                else:
                    key = key_of(optimizer)
                    if key is not None and tracer.trains_here("step") and key not in hooks.open:
                        if not tracer.driving:
                            tracer.closures.ahead = callable(args[1] if len(args) > 1 else kwargs.get("closure"))
                            phase = tracer.begin("step", key)
                            tracer.closures.ahead = False
                            if phase is not NOTED:
                                phase.nodes = _nodes_so_far()
                            if len(args) > 1 or kwargs:
                                args, kwargs = hooks._with_closure(args, kwargs, key)
                        hooks.open.append(key)
                        outermost = True
                    elif get_ident() != log.thread:
                        tracer.registry.others.note(optimizer)
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(*args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            finally:
                if outermost and key in hooks.open:
                    hooks.open.remove(key)
            if outermost or (hooks.open and key == hooks.open[-1]):
                hooks.stepped = key
            if outermost:
                try:
                    used = hooks._used
                    if used is None or used.ref() is not optimizer:
                        used = hooks._used = tracer.registry.note_optimizer(optimizer)
                        hooks._key = key
                    used.steps += 1
                    if phase is NOTED and log.phase is None and log.still is None:
                        log.open = None
                        log.notes.append(monotonic_ns())
                        if log.checks is not None:
                            log.checks.ended("step")
                        return result
                    if phase is not NOTED:
                        tracer.phases.optimizers.note_step(key)
                except Exception as error:
                    tracer.gave_up(error)
            if phase is not None:
                tracer.ended(phase)
            return result

        return step

    def _with_closure(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], key: int | None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of `step`, where a closure that makes phases is followed by the step proper."""
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._followed(args[1], key), *args[2:]), kwargs
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._followed(kwargs["closure"], key)}
        return args, kwargs

    def _followed(self, closure: Callable[..., Any], key: int | None) -> Callable[..., Any]:
        tracer = self._tracer

        def called(*args: Any, **kwargs: Any) -> Any:
            try:
                result = closure(*args, **kwargs)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            try:
                level = tracer.phases.open
                inside = tracer.phases.last is not None or tracer.closures.deferred
                if level is not None and level.name == "step" and inside and tracer.listening():
                    tracer.begin("step", key, False)
            except Exception as error:
                tracer.gave_up(error)
            return result

        return functools.wraps(closure)(frames.invisible(called))

    def _scheduler(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def step(self: Any, *args: Any, **kwargs: Any) -> Any:
            if not hooks:
                return original(self, *args, **kwargs)
            phase = None
            # the constructor of a scheduler calls step() once: no phase
            constructing = sys._getframe(1).f_code.co_name in ("_initial_step", "__init__")
            try:
                if not constructing and tracer.admits("scheduler"):
                    phase = tracer.begin("scheduler", hooks.key_of(getattr(self, "optimizer", None)))
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                hooks.leave(tracer, phase, error)
                raise
            if phase is not None:
                tracer.ended(phase)
            return result

        return step
