"""A model that is trained is evaluated in training mode: dropout makes the figures worse than the model is, and batch
normalisation takes the statistics of the batch, and learns from what it is tested on.

Told of a whole pass over a loader in which the model was called without gradients and nothing was trained: what GANs,
pseudo-labels or momentum encoders compute without gradients between two steps is no evaluation. And, as a warning, of
one tensor that the only model of a run is called with without gradients, once at a time, in several updates, and never
with gradients: data that are held out.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.membership import in_optimizers
from stepdbg.tracer.checks.modes import sensitive, takes_statistics_anew
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import groups_of, in_training, parameters_in

_TRAINING = ("forward", "backward", "step", "zero_grad")
_LEAST = 2
"""Batches of a pass, so that it is one."""
_TIMES = 3
"""Updates in which a tensor is held out, so that it is one."""


@dataclass
class _HeldOut:
    """A tensor that a model is called with without gradients."""

    tensor: weakref.ref[torch.Tensor]
    calls: int = 0
    updates: set[int] = field(default_factory=set)
    """The numbers of updates that were done when it was."""
    always: bool = True
    """Whether something that differs by mode was in training mode each time."""


class TrainModeEvaluation(Rule):
    """The rule `train-mode-evaluation`."""

    name = "train-mode-evaluation"

    def __init__(self) -> None:
        self._called: dict[str, tuple[list[str], int, Place | None]] = {}
        """The models that were called without gradients since something was trained: what of each was in training mode,
        how often it was called, and where."""
        self._held_out: dict[int, _HeldOut] = {}
        """Tensors that a model was called with without gradients, by `id`."""
        self._trained_on: dict[int, weakref.ref[torch.Tensor]] = {}
        """Those that it was called with with gradients."""
        self._averaging = ""
        self._passes = 0
        self._sound = self._wrong = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        passes, batches = moment.passes
        if moment.done in _TRAINING:
            self._called.clear()
        if passes != self._passes:
            self._passes = passes
            yield from self._over(moment, batches)
            self._called.clear()
        if moment.comes == "forward" and (given := _given(moment)) is not None:
            self._held_out.pop(id(given), None)
            self._trained_on[id(given)] = weakref.ref(given)
        if moment.comes == "eval" and moment.coming_model is not None:
            name, model = moment.coming_model
            held = in_optimizers(moment)
            if any(id(one) in held for one in parameters_in(model)):
                modules = [*sensitive(name, model)]
                if any(takes_statistics_anew(module) for _, module, _ in modules):
                    return  # no evaluation: this is how the statistics of averaged weights are learned
                active = [one for one, module, _ in modules if in_training(module)]
                self._averaging = self._averaging or _forgotten_average(moment)
                before = self._called.get(name, ([], 0, None))
                self._called[name] = active or before[0], before[1] + 1, moment.here
                yield from self._of_held_out(moment, name, active)

    def _of_held_out(self, moment: Moment, name: str, active: list[str]) -> Iterator[Finding]:
        """Of a tensor that a model is about to be called with without gradients."""
        given = _given(moment)
        trained = self._trained_on.get(id(given))
        if given is None or (trained is not None and trained() is given) or len(moment.models) > 1:
            return
        known = self._held_out.get(id(given))
        if known is None or known.tensor() is not given:
            known = self._held_out[id(given)] = _HeldOut(weakref.ref(given))
        known.calls += 1
        known.updates.add(moment.updates)
        known.always = known.always and bool(active)
        if moment.updates and known.always and len(known.updates) == known.calls >= _TIMES and not self._wrong:
            self._wrong = True
            yield self.finding(
                moment,
                f"{name} is evaluated in training mode: {some(active)} {'works' if len(active) == 1 else 'work'} as in "
                "training",
                objects=active,
                evidence=f"called without gradients with one tensor in {known.calls} updates, and never trained "
                f"on it, with {len(active)} modules in training mode that differ by mode",
                cause=f"eval() was not called before the forward at {at(moment.here)}",
                fix=f"call {name}.eval() before evaluating, and {name}.train() before training goes on",
                severity="warning",
            )

    def _over(self, moment: Moment, batches: int) -> Iterable[Finding]:
        """What was wrong with the evaluation that is over, of so many batches."""
        for name, (active, times, place) in self._called.items():
            if min(times, batches) < _LEAST:
                continue
            if active:
                self._wrong = True
                yield self.finding(
                    moment,
                    f"{name} is evaluated in training mode: {some(active)} "
                    f"{'works' if len(active) == 1 else 'work'} as in training",
                    objects=active,
                    place=place,
                    evidence=f"{times} batches of a whole pass over a loader without gradients, with {len(active)} "
                    "modules in training mode that differ by mode",
                    cause=f"eval() was not called before the forward at {at(place)}",
                    fix=f"call {name}.eval() before evaluating, and {name}.train() before training goes on",
                )
            elif self._averaging:
                self._wrong = True
                yield self.finding(
                    moment,
                    f"{name} is evaluated while the schedule-free optimizer {self._averaging} is in training mode: the "
                    "weights are not the averaged ones",
                    objects=[name, self._averaging],
                    place=place,
                    evidence=f"{times} batches evaluated with train_mode of its groups True",
                    cause=f"{self._averaging}.eval() was not called before the forward at {at(place)}",
                    fix=f"call {self._averaging}.eval() before evaluating, and {self._averaging}.train() after",
                )
            else:
                self._sound = True
        self._averaging = ""

    def forget(self) -> None:
        self._called.clear()

    def right(self) -> str:
        return "models are evaluated in evaluation mode" if self._sound and not self._wrong else ""


def _given(moment: Moment) -> torch.Tensor | None:
    """The first tensor that the call of a model that comes is given."""
    return next((one for one in moment.arguments if type(one) is torch.Tensor), None)


def _forgotten_average(moment: Moment) -> str:
    """The name of a schedule-free optimizer that is in training mode; empty where none is."""
    for name, optimizer in moment.optimizers:
        modes = [group["train_mode"] for group in groups_of(optimizer) if "train_mode" in group]
        if any(mode is True for mode in modes):
            return name
    return ""
