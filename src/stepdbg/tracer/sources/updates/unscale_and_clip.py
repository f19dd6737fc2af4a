"""unscale and clip: what happens to gradients between backward and step; and the steps that a scaler skips."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.nn.utils import clip_grad

from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects.unwrap import key_of
from stepdbg.tracer.patching.wrap import wrap
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.sources.updates.optimizers import Optimizers
from stepdbg.tracer.sources.wrapping import as_phase, leave

if TYPE_CHECKING:
    from stepdbg.tracer.sources.sink import Sink

_CLIPPERS = ("clip_grad_norm_", "clip_grad_norm", "clip_grad_value_", "clip_grads_with_norm_")


class Gradients:
    """GradScaler, and the functions that clip."""

    def __init__(self, tracer: Sink, optimizers: Optimizers) -> None:
        self._tracer = tracer
        self._optimizers = optimizers
        self.scaled: tuple[weakref.ref[torch.Tensor], weakref.ref[torch.Tensor]] | None = None
        """The newest tensor that a scaler has scaled, and what it was before."""

    def install(self) -> None:
        """Hook them, before the script can bind the names."""
        wrap(GradScaler, "scale", self._scale)
        wrap(GradScaler, "unscale_", self._unscale)
        wrap(GradScaler, "step", self._step)
        for name in _CLIPPERS:
            if hasattr(clip_grad, name):
                wrap(clip_grad, name, as_phase(self._tracer, "clip", done=self._clipped))
                setattr(nn.utils, name, getattr(clip_grad, name))

    def unscaled(self, loss: torch.Tensor) -> torch.Tensor:
        """What a scaler has made that loss from."""
        if self.scaled is None or self.scaled[0]() is not loss:
            return loss
        before = self.scaled[1]()
        return loss if before is None else before

    def _clipped(self, function: str, args: tuple[Any, ...], kwargs: dict[str, Any], result: Any) -> None:
        limit = args[1] if len(args) > 1 else kwargs.get("max_norm", kwargs.get("clip_value"))
        total = kwargs.get("total_norm", args[2] if len(args) > 2 else None) if "with_norm" in function else result
        self._tracer.gradient_scaling.clipped(function, limit, total)

    def _scale(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def scale(self: Any, outputs: Any) -> Any:
            try:
                result = original(self, outputs)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            try:
                if is_a(outputs, torch.Tensor) and is_a(result, torch.Tensor):
                    hooks.scaled = (weakref.ref(result), weakref.ref(outputs))
                if tracer.listening() or tracer.following.undecided:
                    tracer.gradient_scaling.scaled(self)
            except Exception as error:
                tracer.gave_up(error)
            return result

        return scale

    def _unscale(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def unscale_(self: Any, optimizer: Any) -> Any:
            # within its own step a scaler unscales by itself: part of that
            phase = None
            try:
                key = key_of(optimizer)
                if self._enabled and key not in hooks._optimizers.open and tracer.admits("unscale"):
                    phase = tracer.begin("unscale", key)
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(self, optimizer)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            try:
                tracer.gradient_scaling.unscaled(key_of(optimizer))
            except Exception as error:
                tracer.gave_up(error)
            if phase is not None:
                tracer.ended(phase)
            return result

        return unscale_

    def _step(self, original: Any) -> Callable[..., Any]:
        hooks, optimizers, tracer = self, self._optimizers, self._tracer

        def step(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            key, phase, opened = None, None, False
            try:
                key = key_of(optimizer)
                if key is not None and key not in optimizers.open and self._enabled and tracer.trains_here("step"):
                    phase = tracer.begin("step", key) if not tracer.driving else None
                    optimizers.stepped = None
                    optimizers.open.append(key)
                    opened = True
            except Exception as error:
                tracer.gave_up(error)
            try:
                result = original(self, optimizer, *args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            finally:
                if opened and key in optimizers.open:
                    optimizers.open.remove(key)
            if opened:
                hooks._stepped(optimizer, key, phase)
            return result

        return step

    def _stepped(self, optimizer: Any, key: Any, phase: Phase | None) -> None:
        """A scaler's step has returned, with that of its optimizer or without it."""
        tracer, optimizers = self._tracer, self._optimizers
        try:
            tracer.phases.optimizers.note_step(key)
            tracer.gradient_scaling.unscaled(key)
            if optimizers.stepped == key:
                tracer.registry.note_optimizer(optimizer).steps += 1
            if phase is not None:
                tracer.as_made(phase).skipped = optimizers.stepped != key
                tracer.end(phase)
        except Exception as error:
            tracer.gave_up(error)
