"""Forward passes as phases: which modules are models, and when one is called.

A model is a module with parameters to train that no other module called, and that is no trainer. It is found by
wrapping `nn.Module.__call__`, which taxes the call of every submodule and is therefore done only while something is
unknown: in the first updates, after an optimizer was made, and when a backward came with no forward seen. Once a model
is known, `__call__` of its class alone is wrapped, filtered by identity; the instance stays as it is, so that it is
pickled and copied as ever.
(torch's own global forward hooks would do as well, but they send every call down a longer path, which shows in a
traceback, and a compiled module warns of them.)
"""

from __future__ import annotations

import functools
import sys
import weakref
from collections.abc import Callable
from threading import get_ident
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import torch
from torch import compiler as compiling
from torch import nn
from torch.compiler import is_dynamo_compiling
from torch.nn.utils.parametrize import ParametrizationList

from stepdbg.protocol.page import BELL
from stepdbg.tracer.introspect.layout import in_training, modules_of, optimized_by, parameters_in
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.introspect.self_training import trains_itself
from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.patching.wrap import without_wrapper, wrapper_of
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.sources.free_run import FORWARD, LOSS, NOTED
from stepdbg.tracer.stays_here import StaysHere

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink

_super: Any = super
"""Under its own name, within a class, it would have the function refer to that class, which is ours."""
_WATCHED_UPDATES = 2
"""Watching ends after so many updates in which nothing new was found."""


class Models(StaysHere):
    """The models known, and the call of one that is open."""

    def __init__(self, tracer: Sink) -> None:
        self._tracer = tracer
        self._known: dict[int, weakref.ref[nn.Module]] = {}
        self._wrapped: set[type] = set()
        self._plain_call: Any = nn.Module.__call__
        self._watching = False
        self._watcher: Any = None
        """What stands for the call of every module meanwhile."""
        self._below_watcher: Any = None
        """What it was laid around."""
        self.noted = NOTED
        self.gave_up = tracer.gave_up
        self.passes = tracer.passes
        self.without_wrapper = without_wrapper
        self.function_modes_are_on = torch._C._is_torch_function_mode_enabled
        self.tracing_state = torch._C._get_tracing_state
        self.nodes_so_far = torch._C._autograd._get_sequence_nr
        """What a wrapper needs is found here, where it is when its class is pickled (`StaysHere`)."""
        self._watched_from = 1
        self._open: nn.Module | None = None
        """The model whose forward runs; what it calls is no phase of its own."""
        self._open_phase: Phase | None = None
        self._aside = False
        """Whether what is open is a weight that is computed each time it is read."""
        self.output: weakref.ref[torch.Tensor] | None = None
        """What the newest forward returned, where it was one tensor."""
        self.returned_number = False
        """Whether the newest forward may have returned a loss: one number, or a nest of tensors."""
        self._trained: weakref.ref[nn.Module] | None = None
        """The model that was called last with gradients."""
        tracer.following.at_fork.append(self._closed)
        self.on_new: Callable[[nn.Module], object] = lambda _: None
        """The function that is told of each new model."""
        tracer.listeners.looked_at = self.watch
        self.on_forward: Callable[[bool], object] | None = None
        """The function that is told of each call, and whether it was made with gradients."""

    @property
    def is_open(self) -> bool:
        """Whether a model's forward runs."""
        return self._open is not None

    @property
    def evaluating(self) -> bool:
        """Whether the model that is trained is in evaluation mode just now."""
        model = self._trained() if self._trained is not None else None
        return model is not None and not in_training(model)

    def watch(self) -> None:
        """Something may be unknown: see every call, for some updates. What steps into a forward goes on below."""
        self._watched_from = self._tracer.phases.update
        if not self._watching and not self._tracer.muted:
            self._watching = True
            self._below_watcher = nn.Module.__call__
            self._watcher = self._wrapper(None, self._below_watcher)
            nn.Module.__call__ = self._watcher  # type: ignore[method-assign]

    def made(self, tensor: torch.Tensor) -> bool:
        """Whether the newest forward returned that very tensor."""
        if self.output is not None:
            return self.output() is tensor
        return self._tracer.registry.newest.includes("output", tensor)

    def _at_script_level(self) -> bool:
        return self._tracer.phases.open is None and not self._tracer.driving

    def made_at(self, node: Any) -> bool:
        """Whether this node of the graph made an output of the newest forward, a number."""
        return self._tracer.registry.newest.made_at("output", node)

    def _buried(self) -> bool:
        """Whether a phase is open in which a call of a model is no phase: a data set's, an adjoint method's."""
        phases = self._tracer.phases
        return phases.within("data") or phases.within("backward")

    def _adopt(self, module: nn.Module) -> weakref.ref[nn.Module]:
        """A model is known from now on."""
        reference = self._known[id(module)] = weakref.ref(module, functools.partial(self._forget, id(module)))
        if not any(other is module for _, whole in self._tracer.registry.models() for _, other in modules_of(whole)):
            self._tracer.registry.note_model(module)  # a part of one that is known goes by the name it has there
        self.on_new(module)
        kind = type(module)
        if kind not in self._wrapped:
            self._wrapped.add(kind)
            kind.__call__ = self._wrapper(kind, vars(kind).get("__call__"))  # type: ignore[method-assign]
        return reference

    def _forget(self, key: int, _: Any) -> None:
        self._known.pop(key, None)

    def _wrapper(self, kind: Any, below: Any) -> Any:
        """A wrapper for the calls of modules.

        Args:
            kind: The class whose own it is. What it calls is then looked up when it is called, as if the class had
                none: a script, or `torch.fx` while it traces, may put something in the place of `nn.Module.__call__`.
                None of the watcher.
            below: What it calls instead, where there is such: the class has its own, or it is the watcher.

        Whoever has kept the watcher for longer than it is wanted (a patch that is taken back, a library imported
        meanwhile) has a call that goes straight through, and that leaves its place as soon as it is called there.
        """
        models, log, tracker = self, self._tracer.free_run, self._tracer.tracker
        torchs: Any = nn.Module
        plain, binds = self._plain_call, hasattr(type(below), "__get__")

        def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if below is not None:
                call = below.__get__(self, type(self)) if binds else below
            elif isinstance(self, kind):
                call = _super(kind, self).__call__
            else:
                call = functools.partial(torchs.__call__, self)
            if not models or is_dynamo_compiling() or compiling._is_compiling_flag:
                return call(*args, **kwargs)
            mine = False
            try:
                if kind is None and models._watcher is not wrapper:
                    if torchs.__call__ is wrapper:
                        torchs.__call__ = below
                elif (
                    models._open is None
                    and (now := monotonic_ns()) < log.forward_due
                    and log.open is None
                    and len(log.notes) < log.most
                    and (known := models._known.get(id(self))) is not None
                    and known() is self
                    and torch.is_grad_enabled()
                    and torchs.__call__ is plain
                    and models.tracing_state() is None
                    and not log.memory[BELL]
                    and get_ident() == log.thread
                    and (log.still is None or log.still())
                    and (not tracker.pending_backward or log.takes_back_loss())
                    and (log.after_step is None or log.knows("forward", sys._getframe(1)))
                    and ((checks := log.checks) is None or checks.forward_may_begin(self, args, kwargs))
                ):  # the usual one, in a free run: see free_run.py
                    if models.on_forward is not None:
                        models.on_forward(True)
                    mine = True
                    models._open, models._open_phase, models._trained = self, models.noted, known
                    log.open = "forward"
                    log.notes += ("forward", None, now)
                    log.starts[FORWARD] = now
                elif models._open is None:
                    mine = models._enters(self, args, kwargs)
            except Exception as error:
                models.gave_up(error)
            try:
                result = call(*args, **kwargs)
            except BaseException as error:
                phase = models._left() if mine else None
                models.without_wrapper(error)
                if mine:
                    models.passes(error, sys._getframe(1), phase)
                raise
            if not mine:
                return result
            try:
                if (
                    models._open_phase is models.noted
                    and log.phase is None
                    and (now := monotonic_ns()) < log.loss_due
                    and (log.still is None or log.still())
                    and type(result) is torch.Tensor
                    and not models.function_modes_are_on()
                    and result.requires_grad
                    and result.dim()
                    and ((checks := log.checks) is None or checks.forward_is_fine(result))
                ):  # the usual return of the usual one
                    models._open = models._open_phase = log.open = None
                    models.output = log.output = weakref.ref(result)
                    log.made = models.nodes_so_far() - 1
                    models.returned_number = False
                    tracker.pending_backward = True
                    log.notes += (now, "loss", None, now, 0)
                    log.starts[LOSS] = now
                else:
                    models._end(result)
            except Exception as error:
                models.gave_up(error)
            return result

        wrapper = wrapper_of(below or torchs.__call__, __call__)
        return wrapper

    def _enters(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether that call, which lies in no other model's, is a model's; if so, its phase begins."""
        if _is_traced() or not (self._tracer.listening() or self._moves_here(module)):
            return False
        with unseen():
            mine = self._begin(module)
            if mine and self._tracer.driving:
                self._see_batch(args, kwargs)
            if mine and self._tracer.checks.on and not self._aside:
                self._tracer.checks.calls.begins(module, args, kwargs)
        return mine

    def _begin(self, model: nn.Module) -> bool:
        """`_enters`, where the thread is the one that trains."""
        tracer = self._tracer
        reference = self._known.get(id(model))
        new = reference is None or reference() is not model
        if new and isinstance(model, ParametrizationList):  # a weight is read, which is computed: no forward
            self._open, self._open_phase, self._aside = model, None, True
            return True
        if new and (trains_itself(model) or not (_is_model(model) or self._is_frozen_for_now(model))):
            return False
        if (tracer.tracker.open is not None or tracer.free_run.open is not None) and self._buried():
            return False
        if new:
            reference = self._adopt(model)
        phase = None
        training = torch.is_grad_enabled()
        if self.on_forward is not None:
            self.on_forward(training)
        if training:
            self._trained = reference
            if self._watching:
                self._stop_watching()
        if not tracer.driving:
            pending = tracer.tracker.pending_backward
            if training:
                if pending and (running := tracer.phases.running) is not None and running.name == "loss":
                    tracer.phases.retract()
                    phase = tracer.begin("forward", None, True, True, True)
                else:
                    phase = tracer.begin("forward")
            elif pending and (running := tracer.phases.running) is not None and running.name == "loss":
                tracer.phases.retract()
                phase = tracer.begin("eval", None, True, False, True)
            else:
                phase = tracer.begin("eval", None, True, False)
        self._open, self._open_phase = model, phase
        return True

    def _is_frozen_for_now(self, module: nn.Module) -> bool:
        """Whether an optimizer holds some of it, though nothing in it is to be trained just now: the generator, while
        the discriminator has its turn.
        """
        own = set(map(id, parameters_in(module)))
        optimized = (optimized_by(optimizer) for _, optimizer in self._tracer.registry.optimizers()) if own else ()
        return any(id(parameter) in own for parameters in optimized for parameter in parameters)

    def _moves_here(self, model: nn.Module) -> bool:
        """Whether this thread, which is not the one that is debugged, becomes it as it trains that model."""
        following = self._tracer.following
        may = torch.is_grad_enabled() and not self._tracer.muted and get_ident() != self._tracer.thread
        return may and in_training(model) and _is_model(model) and following.moves_here("forward")

    def _see_batch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Note what a model is called with in a generator loop, while somebody looks (else the boundary notes it)."""
        phases = self._tracer.phases
        if torch.is_grad_enabled() and phases.running is not None and phases.running.place is not None:
            self._tracer.registry.newest.note_call(
                [*args, *kwargs.values()], self._tracer.registry.reachable, by_hand=phases.epoch is None
            )

    def _end(self, output: Any) -> None:
        """A model's forward has returned that."""
        tracer = self._tracer
        phase, self._open, self._open_phase = self._open_phase, None, None
        if self._aside:
            self._aside = False
            return
        if tracer.checks.on:
            with unseen():
                tracer.checks.forward_ended(output)
        if phase is not None:
            tracer.end(phase)
        if not torch.is_grad_enabled():
            if phase is not None and tracer.tracker.pending_backward and self._at_script_level():
                self._begin_loss()
            return
        with unseen():
            learns = self._note_output(output)
        if learns and phase is not None:
            self._begin_loss()

    def _begin_loss(self) -> None:
        """What follows is taken for the making of a loss, until it turns out that none was made."""
        phase = self._tracer.begin("loss", None, False, predicted=True, returning=True)
        if phase is not None and phase is not NOTED:
            phase.doubt = self._tracer.free_run.doubt_of_loss()

    def _note_output(self, output: Any) -> bool:
        """Note what a forward with gradients has returned; whether anything can be learned from it."""
        tracer = self._tracer
        single = type(output) is torch.Tensor
        if not (output.requires_grad if single else any(tensor.requires_grad for _, tensor in tensors_in(output))):
            return False
        tracer.tracker.pending_backward = True
        tracer.free_run.made = self.nodes_so_far() - 1
        self.output = reference = weakref.ref(output) if single else None
        self.returned_number = not single or output.dim() == 0
        if reference is not None and tracer.free_run.notes and not self.returned_number:
            tracer.free_run.output = reference
        else:
            tracer.registry.newest.note("output", output)
        return True

    def _closed(self) -> None:
        """No call of a model is open."""
        self._open = self._open_phase = None

    def _left(self) -> Phase | None:
        """An exception has left the model's forward, which was that phase, if it was one."""
        phase, self._open, self._open_phase = self._open_phase, None, None
        self._aside = False
        if phase is not None:
            try:
                self._tracer.broke(phase)
            except Exception as error:
                self.gave_up(error)
        return phase

    def _stop_watching(self) -> None:
        """See known models only. Where something lies around the watcher by now, it lets all calls through."""
        if self._tracer.phases.update >= self._watched_from + _WATCHED_UPDATES:
            watcher, self._watching, self._watcher = self._watcher, False, None
            if nn.Module.__call__ is watcher:
                nn.Module.__call__ = self._below_watcher  # type: ignore[method-assign]


def _is_model(module: nn.Module) -> bool:
    """Whether it holds something to train; in an evaluation, something that may have been."""
    if torch.is_grad_enabled():
        return any(parameter.requires_grad for parameter in parameters_in(module))
    return next(parameters_in(module), None) is not None


def _is_traced() -> bool:
    """Whether the call is no computation but is written down: by `torch.jit.trace`, or by `torch.fx`, which calls
    modules with stand-ins for tensors.
    """
    fx = sys.modules.get("torch.fx._symbolic_trace")
    return torch._C._get_tracing_state() is not None or getattr(fx, "_is_fx_tracing_flag", False)
