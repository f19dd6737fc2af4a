"""unscale and clip: what happens to gradients between backward and step; and the steps that a scaler skips."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.amp import GradScaler
from torch.nn.utils import clip_grad

from stepdbg.tracer.sources.optimizers import Optimizers
from stepdbg.tracer.sources.wrapping import as_phase, key_of, leave, wrap

if TYPE_CHECKING:
    from stepdbg.tracer.boundary import Tracer

_CLIPPERS = ("clip_grad_norm_", "clip_grad_norm", "clip_grad_value_", "clip_grads_with_norm_")


class Gradients:
    """GradScaler, and the functions that clip."""

    def __init__(self, tracer: Tracer, optimizers: Optimizers) -> None:
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
        self._tracer.treatment.clipped(function, limit, total)

    def _scale(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def scale(self: Any, outputs: Any) -> Any:
            try:
                result = original(self, outputs)
            except BaseException as error:
                leave(tracer, None, error)
                raise
            if isinstance(outputs, torch.Tensor) and isinstance(result, torch.Tensor):
                hooks.scaled = (weakref.ref(result), weakref.ref(outputs))
            if tracer.listening() or tracer.following.undecided:
                tracer.treatment.scaled(self)
            return result

        return scale

    def _unscale(self, original: Any) -> Callable[..., Any]:
        hooks, tracer = self, self._tracer

        def unscale_(self: Any, optimizer: Any) -> Any:
            # within its own step a scaler unscales by itself: part of that
            admitted = self._enabled and key_of(optimizer) not in hooks._optimizers.open and tracer.admits("unscale")
            phase = tracer.begin("unscale", key_of(optimizer)) if admitted else None
            try:
                result = original(self, optimizer)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            tracer.treatment.unscaled(key_of(optimizer))
            if phase is not None:
                tracer.end(phase)
            return result

        return unscale_

    def _step(self, original: Any) -> Callable[..., Any]:
        optimizers, tracer = self._optimizers, self._tracer

        def step(self: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            key = key_of(optimizer)
            if key is None or key in optimizers.open or not (self._enabled and tracer.trains_here("step")):
                try:
                    return original(self, optimizer, *args, **kwargs)
                except BaseException as error:
                    leave(tracer, None, error)
                    raise
            phase = tracer.begin("step", key) if not tracer.driving else None
            optimizers.stepped = None
            optimizers.open.append(key)
            try:
                result = original(self, optimizer, *args, **kwargs)
            except BaseException as error:
                leave(tracer, phase, error)
                raise
            finally:
                optimizers.open.remove(key)
            tracer.course.note_step(key)
            tracer.treatment.unscaled(key)
            if optimizers.stepped == key:
                tracer.registry.note_optimizer(optimizer).steps += 1
            if phase is not None:
                tracer.as_made(phase).skipped = optimizers.stepped != key
                tracer.end(phase)
            return result

        return step
