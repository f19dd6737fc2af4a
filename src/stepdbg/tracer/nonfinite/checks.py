"""The cheap check at each boundary: is what the phase done has made still finite, and what was written meanwhile?

Looked at are the batch after data, the output after a forward, the loss before its backward, gradients after backward,
unscale and clip, parameters and optimizer state after a step; and at any boundary whatever torch's counters say was
written since. A NaN is bad anywhere. An infinity is bad in a loss, an unscaled gradient, a parameter and a state: in a
batch or an output it may be meant (a mask), and gradients under a scale overflow by design, until their scaler skips
the step.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, NamedTuple, Protocol

import torch
from torch import nn

from stepdbg.protocol.messages import Breakpoint, Kind
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.introspect.layout import groups_of
from stepdbg.tracer.introspect.safe_access import tensors_in
from stepdbg.tracer.introspect.unobserved import Unobserved, WithoutAutograd, observed, unseen
from stepdbg.tracer.nonfinite.finite import is_bad, norm
from stepdbg.tracer.nonfinite.producers.kept import Calls
from stepdbg.tracer.nonfinite.producers.loss_section import LossSection
from stepdbg.tracer.nonfinite.sound_steps import SMALL, are_sound
from stepdbg.tracer.nonfinite.written import Written
from stepdbg.tracer.objects.other_threads import gradients
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.tracker import PhaseTracker

_C: Any = torch._C
_transforms_are_active = _C._are_functorch_transforms_active
_WRITES: dict[str, Kind] = {
    "data": "batch",
    "forward": "output",
    "eval": "output",
    "backward": "grad",
    "unscale": "grad",
    "clip": "grad",
    "step": "parameter",
}
"""What each phase makes that has to be finite. (A step makes state too.)"""
_ALL: tuple[Kind, ...] = ("parameter", "grad", "state")
_LOOKED_AT: dict[str, tuple[Kind, ...]] = {
    "data": ("parameter", "state"),
    "zero_grad": ("parameter", "state"),
    "forward": ("parameter",),
    "loss": ("parameter",),
    "backward": ("parameter",),
}
"""The kinds that are looked at where a phase begins, whether the script has written them; all where it is not listed.
Gradients matter from their backward to their step, optimizer state where an update opens and before its step."""
_STEPS_ON = frozenset(("forward", "backward", "step"))
"""Phases before which hyperparameters are not looked at: a step that they spoil is not taken for a sound one."""
_TRAINED = frozenset(("parameter", "grad"))
"""Kinds whose tensors are parameters, or hang on them."""
_ORDER: tuple[Kind, ...] = ("batch", "output", "loss", "grad", "state", "parameter", "hyperparameter")
"""The kinds in the order in which one spoils the next."""


class Finding(NamedTuple):
    """What the cheap check has found."""

    kind: Kind
    tensors: Sequence[torch.Tensor]
    """All that was looked at: which of these are bad is still to be seen."""
    infinite: bool
    """Whether an infinity is bad in these."""
    phase: str
    """The phase that has made them; empty where the script has written them between two phases."""
    hyperparameter: str = ""
    """The optimizer's group and key, where it is no tensor: `param_groups[0]['lr']`."""
    optimizer: Any = None
    """The optimizer whose hyperparameter it is."""
    between: str = ""
    """Between which phases the script has written it: `after step, before zero_grad`."""


class Asking(Protocol):
    """The tracer, as far as it is asked."""

    driving: bool
    """True while a generator loop runs: then all is looked at where a phase ends."""
    tracker: PhaseTracker
    """The phase tracker."""

    def gave_up(self, error: Exception) -> None:
        """A boundary could not be looked at."""


class Checks:
    """What is looked at, and what was found.

    Args:
        tracer: Is told where nothing can be looked at.
        registry: What is alive.
        scaling: Whether gradients are under a scale.
    """

    def __init__(self, tracer: Asking, registry: Registry, scaling: GradientScaling) -> None:
        self._tracer, self._registry = tracer, registry
        self.scaling = scaling
        """What is done to gradients between backward and step."""
        self.on = False
        """Whether anything is looked at."""
        self.number = 0
        """The number of the breakpoint that asks for it; 0 where only the rules do."""
        self.for_rules = False
        """Whether the rules ask for it, which are told where training does not stop."""
        self.found: Finding | None = None
        """The first bad value, until training has stopped for it."""
        self.calls = Calls()
        """The calls of models since the last step, as far as they are kept to be looked into again."""
        self._written = Written(registry)
        self._ended: list[str] = []
        """The phases that have ended since the last boundary."""
        self._seen: Finding | None = None
        """What was found in them."""
        self.fetched: weakref.ref[Any] | None = None
        """The iterator of the loader that the newest batch came from."""
        self._loss: weakref.ref[torch.Tensor] | None = None
        """The loss that backward is about to be called on."""
        self._output: list[weakref.ref[torch.Tensor]] = []
        """What the newest call of a model has returned."""
        self._grads: list[torch.Tensor] | None = None
        """The gradients that have just been looked at."""
        self._size = math.inf
        """No less than the largest gradient; infinite where that is not known."""
        self._squares = True
        """Whether no second moment of an optimizer is below zero."""
        self._scaled = False
        """Whether the gradients are those of a loss that a scaler has scaled."""
        self._stopped = self._clean = False
        """Whether training has stopped for a bad value that is still there; whether all was finite since the last
        step."""

    def hold(self, points: Iterable[Breakpoint]) -> None:
        """Look from now on if one of these breakpoints asks for it."""
        point = next((one for one in points if one.first_bad and one.enabled), None)
        self.number = point.number if point is not None else 0
        self._settle()

    def look_for_rules(self, on: bool) -> None:
        """Look from now on if the rules ask for it."""
        self.for_rules = on
        self._settle()

    def _settle(self) -> None:
        if (on := self.number > 0 or self.for_rules) != self.on:
            self.on = on
            self.begin_anew()

    def begin_anew(self) -> None:
        """Nothing has been seen yet."""
        self.found = self._seen = self._loss = None
        self._ended, self._output = [], []
        self._scaled = self._stopped = self._clean = False
        self.calls.forget()

    # what the sources tell

    def forward_ended(self, output: object) -> None:
        """A model's call has returned that."""
        tensors = [output] if type(output) is torch.Tensor else [tensor for _, tensor in tensors_in(output)]
        if _transforms_are_active():  # what a transform of torch.func wraps has no numbers to be asked for
            tensors = []
        self._output = list(map(weakref.ref, tensors))
        self.calls.returned(tensors)

    def backward_begins(self, loss: torch.Tensor, *, scaled: bool) -> None:
        """`backward` is about to be called on that loss, or on what a scaler has made of it."""
        self._loss, self._scaled = weakref.ref(loss), scaled
        with unseen():
            self.calls.section = LossSection(loss, [one for call in self.calls.all for one in call.outputs])

    def ended(self, name: str, *, skipped: bool = False) -> None:
        """The call of a phase has returned: what it has made is looked at here, before the script writes to it."""
        self._ended.append(name)
        kind = None if skipped else _WRITES.get(name)
        if kind is None or _transforms_are_active():
            return
        kinds: tuple[Kind, ...] = (kind,)
        try:
            sound = False
            if name == "step":
                kinds, self._scaled, sound = ("state", "parameter"), False, self._is_sound()
            with _NOTHING if sound and not observed() else _unobserved():
                parameters = self._written.parameters() if kind in _TRAINED else []
                if not sound:
                    for one in kinds:
                        self._seen = self._seen or self._of(one, name, parameters)
                if parameters:
                    self._written.note(kinds, parameters, self._grads if kind == "grad" else None)
                    self._grads = None
        except Exception as error:
            self._tracer.gave_up(error)

    # what a free run asks, where a phase is to be only noted

    def forward_may_begin(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether nothing is bad before a model's call, which is kept."""
        if self.bad_before("forward"):
            return False
        with unseen():
            self.calls.begins(model, args, kwargs)
        return True

    def forward_is_fine(self, output: torch.Tensor) -> bool:
        """Whether nothing is bad of what a model's call has returned."""
        self.forward_ended(output)
        self.ended("forward")
        return self._seen is None

    def backward_may_begin(self, loss: torch.Tensor, value: float) -> bool:
        """Whether nothing is bad before `backward` is called on that loss, of that value."""
        if not math.isfinite(value):
            return False
        self.backward_begins(loss, scaled=False)
        return not self.bad_before("backward", looked_at_loss=True)

    # what the tracer asks

    def bad_before(self, name: str, *, looked_at_loss: bool = False) -> bool:
        """Whether the first bad value is there as that phase begins.

        Args:
            name: The phase; empty for the end of the script.
            looked_at_loss: Whether the loss is known to be finite, where it is a backward.
        """
        if self.found is not None:
            return True
        ended, self._ended = self._ended, []
        finding, self._seen = self._seen, None
        try:
            if finding is None and not (name == "loss" and "forward" in ended) and not _transforms_are_active():
                # (where a model has just returned to us, nothing of the script's has run since)
                with Unobserved() if observed() else _NOTHING:
                    finding = self._look(name, looked_at_loss=looked_at_loss)
        except Exception as error:
            self._tracer.gave_up(error)
            return False
        if finding is None:
            if "step" in ended:
                self._stopped, self._clean = self._stopped and not self._clean, True
                self.calls.forget()
            elif name in ("zero_grad", "data", "forward") and "backward" in ended:
                self.calls.forget()
            return False
        self._clean = False
        if self._stopped:
            self.calls.forget()
            return False
        if not finding.phase:
            words = [f"after {ended[-1]}" if ended else "", f"before {name}" if name else "before the end"]
            finding = finding._replace(between=", ".join(filter(None, words)))
        self._stopped, self.found = True, finding
        return True

    @property
    def loss(self) -> torch.Tensor | None:
        """The loss that backward was called on last, if it is still there."""
        return self._loss() if self._loss is not None else None

    def take(self) -> Finding | None:
        """What was found, which is told now."""
        finding, self.found = self.found, None
        return finding

    # looking

    def _look(self, name: str, *, looked_at_loss: bool) -> Finding | None:
        """What is bad of the loss, where `backward` begins, and of what was written since the phase before."""
        tracer, parameters = self._tracer, self._written.parameters()
        made: dict[Kind, str] = {}
        if not tracer.driving:
            made = dict.fromkeys(self._written.since(parameters, _LOOKED_AT.get(name, _ALL)), "")
        elif (running := tracer.tracker.running) is not None:
            made = dict.fromkeys(("batch", "output", "loss", "grad", "parameter", "state"), running.name)
        if name == "backward" and not looked_at_loss:
            made["loss"] = "loss"
        if made:
            with _unobserved():
                for kind in _ORDER:
                    phase = made.get(kind)
                    if phase is not None and (found := self._of(kind, phase, parameters)) is not None:
                        return found
            self._grads = None
        return None if name in _STEPS_ON else self._hyperparameter()

    def _of(self, kind: Kind, phase: str, parameters: list[torch.Tensor]) -> Finding | None:
        infinite = kind not in ("batch", "output")
        tensors = self._tensors(kind, parameters)
        if kind == "grad":
            self._size = norm(tensors) if tensors else 0.0
            if self._size < SMALL:
                return None
        if kind == "state" and phase != "step":  # the script has written it
            self._squares = not self._written.has_squares_below_zero()
        if not tensors or not is_bad(tensors, infinite=infinite):
            return None
        if kind == "grad" and self._scaled and self._is_excused():
            return None
        return Finding(kind, tensors, infinite, phase)

    def _is_sound(self) -> bool:
        """Whether the step that has been done cannot have made anything bad."""
        return self._size < SMALL and self._squares and self._written.is_wide and are_sound(self._written.optimizers())

    def _tensors(self, kind: Kind, parameters: list[torch.Tensor]) -> list[torch.Tensor]:
        match kind:
            case "batch":
                batch = self._registry.newest.batch()
                return [] if batch is None else [batch] if isinstance(batch, torch.Tensor) else [*batch]
            case "output":
                return [one for reference in self._output if (one := reference()) is not None]
            case "loss":
                loss = self._loss() if self._loss is not None else None
                return [] if loss is None else [loss]
            case "grad":
                self._grads = [grad for grad in gradients(parameters) if grad is not None]
                return self._grads
            case "state":
                return self._written.states()
            case _:  # what is frozen may hold a mask of -inf
                return [one for one in parameters if one.requires_grad]

    def _is_excused(self) -> bool:
        """Whether a scale is what has made gradients infinite; one that has come down to 1 is not."""
        factor = self.scaling.factor()
        return factor is not None and factor > 1

    def _hyperparameter(self) -> Finding | None:
        """A number of a parameter group that is NaN."""
        for optimizer in self._written.optimizers():
            for place, group in enumerate(groups_of(optimizer)):
                for key, value in group.items():
                    if type(value) is float and value != value:
                        return Finding("hyperparameter", (), False, "", f"param_groups[{place}][{key!r}]", optimizer)
        return None


_NOTHING = nullcontext()


def _unobserved() -> AbstractContextManager[object]:
    """A context in which nothing of the script's sees what is computed; where nothing would, without autograd alone."""
    if observed() or _C._get_tracing_state() is not None:
        return Unobserved()
    return WithoutAutograd()
