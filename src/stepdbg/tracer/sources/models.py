"""Forward passes as phases: which modules are models, and when one is called.

A model is a module with parameters that no other module called. It is found by wrapping `nn.Module.__call__`, which
taxes the call of every submodule and is therefore done only while something is unknown: in the first updates, after an
optimizer was made, and when a backward came with no forward seen. Once a model is known, `__call__` of its class alone
is wrapped, filtered by identity; the instance stays as it is, so that it is pickled and copied as ever. (torch's own
global forward hooks would do as well, but they send every call down a longer path, which shows in a traceback.)
"""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn.modules.loss import _Loss

from stepdbg.tracer import frames
from stepdbg.tracer.course import Phase
from stepdbg.tracer.registry import tensors_in

if TYPE_CHECKING:
    from stepdbg.tracer.boundary import Tracer

_WATCHED_UPDATES = 2
"""Watching ends after so many updates in which nothing new was found."""


class Models:
    """The models known, and the calls of theirs that are open."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._known: dict[int, weakref.ref[nn.Module]] = {}
        self._wrapped: set[type] = set()
        self._plain_call: Any = nn.Module.__call__
        self._watched_from = 1
        self._open: nn.Module | None = None
        """The model whose forward runs; what it calls is no phase of its own."""
        self._open_phase: Phase | None = None
        self.last_loader: weakref.ref[Any] | None = None
        self.evaluating: weakref.WeakSet[Any] = weakref.WeakSet()
        """Loaders that feed evaluation only."""
        self._feeding: weakref.WeakSet[Any] = weakref.WeakSet()

    def watch(self) -> None:
        """Something may be unknown: see every call, for some updates."""
        self._watched_from = self._tracer.course.update
        if nn.Module.__call__ is self._plain_call and not self._tracer.quiet:
            nn.Module.__call__ = self._wrapper(self._plain_call, self._is_new)  # type: ignore[method-assign]

    def made(self, tensor: torch.Tensor) -> bool:
        """Whether the newest forward returned that very tensor."""
        return self._tracer.registry.is_newest("output", tensor)

    def _is_new(self, module: nn.Module) -> bool:
        """Whether that call is of a model that was not known; it is from now on."""
        if isinstance(module, _Loss) or not _is_model(module):
            return False
        if id(module) not in self._known:
            self._adopt(module)
        return True

    def _is_known(self, module: nn.Module) -> bool:
        reference = self._known.get(id(module))
        return reference is not None and reference() is module

    def _adopt(self, module: nn.Module) -> None:
        self._known[id(module)] = weakref.ref(module, functools.partial(self._forget, id(module)))
        self._tracer.registry.note_model(module)
        kind = type(module)
        if kind not in self._wrapped:
            self._wrapped.add(kind)
            original: Any = kind.__call__
            if getattr(original, "__wrapped__", None) is self._plain_call:
                original = self._plain_call
            kind.__call__ = self._wrapper(original, self._is_known)  # type: ignore[method-assign]

    def _forget(self, key: int, _: Any) -> None:
        self._known.pop(key, None)

    def _wrapper(self, original: Any, claims: Callable[[nn.Module], bool]) -> Any:
        models, tracer = self, self._tracer

        def __call__(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
            mine = models._open is None and not torch.compiler.is_compiling() and tracer.listening() and claims(self)
            if mine:
                models._begin(self)
            try:
                result = original(self, *args, **kwargs)
            except BaseException as error:
                if mine:
                    models._left()
                error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
                raise
            if mine:
                models._end(result)
            return result

        return functools.wraps(original)(frames.invisible(__call__))

    def _begin(self, model: nn.Module) -> None:
        tracer, course = self._tracer, self._tracer.course
        self._open_phase = None
        training = torch.is_grad_enabled()
        self._note_loader(training)
        if training:
            self._stop_watching()
        if not tracer.driving:
            if training:
                if course.pending_backward and course.level.running is not None and course.level.running.name == "loss":
                    course.retract()
                    self._open_phase = tracer.begin("forward", silent=True)
                else:
                    self._open_phase = tracer.begin("forward")
            elif not course.pending_backward:
                self._open_phase = tracer.begin("eval", kept=False)
        self._open = model

    def _end(self, output: Any) -> None:
        tracer, course = self._tracer, self._tracer.course
        phase, self._open, self._open_phase = self._open_phase, None, None
        if not torch.is_grad_enabled():
            if phase is not None:
                tracer.end(phase)
            return
        if phase is not None:
            tracer.end(phase)
        single = isinstance(output, torch.Tensor)
        if output.requires_grad if single else any(tensor.requires_grad for _, tensor in tensors_in(output)):
            course.pending_backward = True
            tracer.registry.note("output", output)
            if phase is not None:
                tracer.begin("loss", call=False, predicted=True, returning=True)

    def _left(self) -> None:
        """An exception has left the model's forward."""
        phase, self._open, self._open_phase = self._open_phase, None, None
        if phase is not None:
            self._tracer.broke(phase)

    def _note_loader(self, training: bool) -> None:
        loader = self.last_loader() if self.last_loader is not None else None
        if loader is None:
            return
        if training:
            self._feeding.add(loader)
            self.evaluating.discard(loader)
        elif loader not in self._feeding:
            self.evaluating.add(loader)

    def _stop_watching(self) -> None:
        watching = nn.Module.__call__ is not self._plain_call
        if watching and self._tracer.course.update >= self._watched_from + _WATCHED_UPDATES:
            nn.Module.__call__ = self._plain_call  # type: ignore[method-assign]


def _is_model(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None
