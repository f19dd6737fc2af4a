"""Forward passes as phases: which modules are models, and when one is called.

A model is a module with parameters to train that no other module called. It is found by wrapping `nn.Module.__call__`,
which taxes the call of every submodule and is therefore done only while something is unknown: in the first updates,
after an optimizer was made, and when a backward came with no forward seen. Once a model is known, `__call__` of its
class alone is wrapped, filtered by identity; the instance stays as it is, so that it is pickled and copied as ever.
(torch's own global forward hooks would do as well, but they send every call down a longer path, which shows in a
traceback, and a compiled module warns of them.)
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from threading import get_ident
from time import monotonic_ns
from typing import TYPE_CHECKING, Any

import torch
from torch import compiler as compiling
from torch import nn
from torch.compiler import is_dynamo_compiling

from stepdbg.protocol.page import BELL
from stepdbg.tracer.course import Phase
from stepdbg.tracer.passing import FORWARD, LOSS, NOTED
from stepdbg.tracer.registry import tensors_in
from stepdbg.tracer.sources.wrapping import wrapper_of

if TYPE_CHECKING:
    from stepdbg.tracer.boundary import Tracer

_WATCHED_UPDATES = 2
"""Watching ends after so many updates in which nothing new was found."""


class Models:
    """The models known, and the call of one that is open."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._known: dict[int, weakref.ref[nn.Module]] = {}
        self._wrapped: set[type] = set()
        self._plain_call: Any = nn.Module.__call__
        self._watching = False
        self._watcher: Any = None
        """What stands for the call of every module meanwhile."""
        self._watched_from = 1
        self._open: nn.Module | None = None
        """The model whose forward runs; what it calls is no phase of its own."""
        self._open_phase: Phase | None = None
        self.output: weakref.ref[torch.Tensor] | None = None
        """What the newest forward returned, where it was one tensor."""
        self.returned_number = False
        """Whether the newest forward may have returned a loss: one number, or a nest of tensors."""
        self._trained: weakref.ref[nn.Module] | None = None
        """The one that was called last with gradients."""
        tracer.following.at_fork.append(self._closed)
        self.on_new: Callable[[nn.Module], object] = lambda _: None
        """Told of each new model."""
        self.on_forward: Callable[[bool], object] | None = None
        """Told of each call, and whether it was made with gradients."""

    @property
    def is_open(self) -> bool:
        """Whether a model's forward runs."""
        return self._open is not None

    @property
    def evaluating(self) -> bool:
        """Whether the model that is trained is in evaluation mode just now."""
        model = self._trained() if self._trained is not None else None
        return model is not None and not model.training

    def watch(self) -> None:
        """Something may be unknown: see every call, for some updates. What steps into a forward goes on below."""
        self._watched_from = self._tracer.course.update
        if not self._watching and not self._tracer.quiet:
            self._watching, self._watcher = True, self._wrapper(nn.Module.__call__)
            self._watcher.__wrapped__ = self._plain_call  # what a model that is found meanwhile has its wrapper around
            nn.Module.__call__ = self._watcher  # type: ignore[method-assign]

    def made(self, tensor: torch.Tensor) -> bool:
        """Whether the newest forward returned that very tensor."""
        if self.output is not None:
            return self.output() is tensor
        return self._tracer.registry.is_newest("output", tensor)

    def made_at(self, node: Any) -> bool:
        """Whether this node of the graph made an output of the newest forward, a number."""
        return self._tracer.registry.made_at("output", node)

    def _buried(self) -> bool:
        """Whether a phase is open in which a call of a model is no phase: a data set's, an adjoint method's."""
        course = self._tracer.course
        return course.within("data") or course.within("backward")

    def _adopt(self, module: nn.Module) -> weakref.ref[nn.Module]:
        """A model is known from now on."""
        reference = self._known[id(module)] = weakref.ref(module, functools.partial(self._forget, id(module)))
        self._tracer.registry.note_model(module)
        self.on_new(module)
        kind = type(module)
        if kind not in self._wrapped:
            self._wrapped.add(kind)
            original: Any = kind.__call__
            if getattr(original, "__wrapped__", None) is self._plain_call:
                original = self._plain_call
            kind.__call__ = self._wrapper(original)  # type: ignore[method-assign]
        return reference

    def _forget(self, key: int, _: Any) -> None:
        self._known.pop(key, None)

    def _wrapper(self, original: Any) -> Any:
        models, tracer, passing, lagging = self, self._tracer, self._tracer.passing, self._tracer.lagging

        def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if is_dynamo_compiling() or compiling._is_compiling_flag:
                return original(self, *args, **kwargs)
            mine = models._open is None
            if (
                mine
                and (now := monotonic_ns()) < passing.due
                and passing.open is None
                and not lagging.pending_backward
                and (known := models._known.get(id(self))) is not None
                and known() is self
                and torch.is_grad_enabled()
                and not models._watching
                and models.on_forward is None
                and not passing.memory[BELL]
                and get_ident() == passing.thread
            ):  # the usual one, in a free run: see tracer/passing.py
                models._open, models._open_phase, models._trained = self, NOTED, known
                passing.open = "forward"
                passing.notes += ("forward", None, now)
                passing.starts[FORWARD] = now
            else:
                mine = mine and (tracer.listening() or models._moves_here(self)) and models._begin(self)
                if mine and tracer.driving:
                    models._see_batch(args, kwargs)
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                if mine:
                    models._left()
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            if (
                mine
                and models._open_phase is NOTED
                and passing.phase is None
                and (now := monotonic_ns()) < passing.due
                and type(result) is torch.Tensor
                and result.requires_grad
                and result.dim()
            ):  # the usual return of the usual one
                models._open = models._open_phase = passing.open = None
                models.output = passing.output = weakref.ref(result)
                models.returned_number = False
                lagging.pending_backward = True
                passing.notes += (now, "loss", None, now, 0)
                passing.starts[LOSS] = now
            elif mine:
                models._end(result)
            return result

        return wrapper_of(original, __call__)

    def _begin(self, model: nn.Module) -> bool:
        """Whether that call, which lies in no other model's, is a model's; if so, its phase begins."""
        tracer = self._tracer
        reference = self._known.get(id(model))
        new = reference is None or reference() is not model
        if new and not _is_model(model):
            return False
        if (tracer.lagging.open is not None or tracer.passing.open is not None) and self._buried():
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
            pending = tracer.lagging.pending_backward
            if training:
                if pending and (running := tracer.course.running) is not None and running.name == "loss":
                    tracer.course.retract()
                    phase = tracer.begin("forward", None, True, True, True)
                else:
                    phase = tracer.begin("forward")
            elif not pending:
                phase = tracer.begin("eval", None, True, False)
        self._open, self._open_phase = model, phase
        return True

    def _moves_here(self, model: nn.Module) -> bool:
        """Whether this thread, which is not the one that is debugged, becomes it as it trains that model."""
        following = self._tracer.following
        may = torch.is_grad_enabled() and not self._tracer.quiet and get_ident() != self._tracer.thread
        return may and model.training and _is_model(model) and following.moves_here("forward")

    def _see_batch(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """In a generator loop, while somebody looks: what a model is called with (elsewhere the boundary notes it)."""
        course = self._tracer.course
        if torch.is_grad_enabled() and course.running is not None and course.running.place is not None:
            self._tracer.registry.note_call([*args, *kwargs.values()], by_hand=course.epoch is None)

    def _end(self, output: Any) -> None:
        tracer = self._tracer
        phase, self._open, self._open_phase = self._open_phase, None, None
        if phase is not None:
            tracer.end(phase)
        if not torch.is_grad_enabled():
            return
        single = type(output) is torch.Tensor
        if output.requires_grad if single else any(tensor.requires_grad for _, tensor in tensors_in(output)):
            tracer.lagging.pending_backward = True
            self.output = reference = weakref.ref(output) if single else None
            self.returned_number = not single or output.dim() == 0
            if reference is not None and tracer.passing.notes and not self.returned_number:
                tracer.passing.output = reference
            else:
                tracer.registry.note("output", output)
            if phase is not None:
                tracer.begin("loss", None, False, predicted=True, returning=True)

    def _closed(self) -> None:
        """No call of a model is open."""
        self._open = self._open_phase = None

    def _left(self) -> None:
        """An exception has left the model's forward."""
        phase, self._open, self._open_phase = self._open_phase, None, None
        if phase is not None:
            self._tracer.broke(phase)

    def _stop_watching(self) -> None:
        """See known models only; not yet where stepping into a forward has laid itself around the watcher."""
        over = self._tracer.course.update >= self._watched_from + _WATCHED_UPDATES
        if over and nn.Module.__call__ is self._watcher:
            self._watching, self._watcher = False, None
            nn.Module.__call__ = self._plain_call  # type: ignore[method-assign]


def _is_model(module: nn.Module) -> bool:
    """Whether it holds something to train; in an evaluation, something that may have been."""
    if torch.is_grad_enabled():
        return any(parameter.requires_grad for parameter in module.parameters())
    return next(module.parameters(), None) is not None
