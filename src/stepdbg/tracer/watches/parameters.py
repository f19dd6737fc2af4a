"""The history of every parameter over the updates that were sampled: its gradient's norm, and how far it has moved.

It is always on, at a low rate: an update is sampled when that takes less than `SHARE` of the time since the last one.
What a step changes is told from copies of a part of the parameters, another part at each sample where there are many.
Only plain tensors in this process's own memory are looked at: on a device a look would wait for it.
"""

from __future__ import annotations

import math
import weakref
from array import array
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic_ns
from typing import NamedTuple

import torch

from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.objects.other_threads import gradients
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.tensors.readable import ORDINARY, Unreadable, local
from stepdbg.tracer.watches.pace import SamplingPace

SHARE = 0.002
"""The share of training's time that samples may take."""
COPIED = 1 << 20
"""Elements that are copied before a step, at most."""
NOT_SEEN = -1.0
"""Stands for a figure where nothing was looked at, or there was nothing to look at."""
_TYPES = frozenset((torch.float32, torch.float64, torch.bfloat16, torch.float16))
_MOST = 512
"""Samples that are kept."""
_MOST_FIGURES = 1 << 21
"""Figures that are kept; a model of very many parameters has fewer samples."""


class _Roster:
    """Parameters in an order, of which several samples are."""

    def __init__(self, parameters: Sequence[torch.Tensor]) -> None:
        self._refs = [weakref.ref(one) for one in parameters]
        self.places = {id(one): place for place, one in enumerate(parameters)}

    def is_of(self, parameters: Sequence[torch.Tensor]) -> bool:
        """Whether these are the parameters, in this order."""
        refs = self._refs
        return len(refs) == len(parameters) and all(ref() is one for ref, one in zip(refs, parameters, strict=True))

    def place(self, parameter: torch.Tensor) -> int | None:
        """The place of a parameter; None where it is none of these."""
        place = self.places.get(id(parameter))
        return place if place is not None and self._refs[place]() is parameter else None


class _Sample(NamedTuple):
    """What was found at the end of an update."""

    update: int
    roster: _Roster
    gradients: array[float]
    """The 2-norms of the gradients."""
    ratios: array[float]
    """The norms of the changes over those of the values."""


class ParameterHistory:
    """Takes the samples, and tells them by parameter.

    Args:
        parameters: Gives all parameters that there are.
        phases: Where training is; in a free run as it was some moments ago.
    """

    def __init__(self, parameters: Callable[[], list[torch.Tensor]], phases: PhaseTracker) -> None:
        self._parameters, self._phases = parameters, phases
        self._forget()

    def _forget(self) -> None:
        self.pace = SamplingPace(SHARE)
        self._samples: deque[_Sample] = deque(maxlen=_MOST)
        self._sampled = 0
        """The update that was sampled last."""
        self._roster: _Roster | None = None
        self._copies: dict[int, torch.Tensor] = {}
        """What some parameters were before the first step of the update, by place in the roster."""
        self._next = 0
        """The place of the first parameter that is to be copied the next time."""
        self._copying_ns = 0
        """The time that it took to copy (ns)."""

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""
        self._forget()

    @property
    def due(self) -> bool:
        """Whether the update that training is in is to be sampled, as far as a free run is concerned."""
        update = self._phases.update
        return update != self._sampled and update >= self.pace.due

    def waited(self) -> None:
        """Training has waited for the user."""
        self.pace.waited()

    def before_step(self) -> None:
        """A step of an update that is to be sampled begins: copy some of the parameters, unless an earlier step did."""
        if self._copies:
            return
        began = monotonic_ns()
        with Unobserved(), uncollected():
            known = [one for one in self._parameters() if is_plain(one)]
            if self._roster is None or not self._roster.is_of(known):
                self._roster, self._next = _Roster(known), 0
            self._copy(known)
        self._copying_ns = monotonic_ns() - began

    def _copy(self, known: list[torch.Tensor]) -> None:
        """Copy trained parameters from where the last time ended, as many as there is room for."""
        room = COPIED
        for step in range(len(known)):
            place = (self._next + step) % len(known)
            one = known[place]
            if not one.requires_grad or one.numel() > COPIED:
                continue
            if one.numel() > room:
                self._next = place
                return
            self._copies[place] = one.detach().clone()
            room -= one.numel()

    def update_done(self) -> None:
        """The last step of an update that is to be sampled is done."""
        roster, copies = self._roster, self._copies
        self.pace.begin()
        self._copies, self._sampled = {}, self._phases.update
        if roster is None:  # the step began before anybody looked
            return
        with Unobserved(), uncollected():
            known = [one for one in self._parameters() if is_plain(one)]
            if roster.is_of(known):
                self._samples.append(_Sample(self._sampled, roster, _gradients(known), _ratios(known, copies)))
        while len(self._samples) > 1 and 2 * len(self._samples) * len(known) > _MOST_FIGURES:
            self._samples.popleft()
        self.pace.sampled(self._sampled, self._copying_ns)

    def of(self, parameter: torch.Tensor) -> list[tuple[int, float, float]]:
        """Update, norm of the gradient, and ratio of each sample that has the parameter, oldest first."""
        found = []
        for sample in self._samples:
            place = sample.roster.place(parameter)
            if place is not None:
                found.append((sample.update, sample.gradients[place], sample.ratios[place]))
        return found


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor's numbers lie in this process's own memory, and can be gone over quickly."""
    if not (type(tensor) in ORDINARY and tensor.is_cpu and tensor.dtype in _TYPES and tensor.layout is torch.strided):
        return False
    try:
        local(tensor)
    except Unreadable:
        return False
    return True


def _gradients(parameters: list[torch.Tensor]) -> array[float]:
    """The 2-norm of the gradient of each of these."""
    there = [(place, grad) for place, grad in enumerate(gradients(parameters)) if grad is not None and is_plain(grad)]
    found = array("f", [NOT_SEEN]) * len(parameters)
    for (place, _), norm in zip(there, _norms([grad for _, grad in there]), strict=True):
        found[place] = norm
    return found


def _ratios(parameters: list[torch.Tensor], before: dict[int, torch.Tensor]) -> array[float]:
    """The norm of what has changed of each, over that of what it is."""
    places = [place for place, copy in before.items() if copy.shape == parameters[place].shape]
    now = [parameters[place].detach() for place in places]
    moved = [after - before[place] for after, place in zip(now, places, strict=True)]
    found = array("f", [NOT_SEEN]) * len(parameters)
    for place, change, size in zip(places, _norms(moved), _norms(now), strict=True):
        found[place] = change / size if size else math.inf if change else 0.0
    return found


def _norms(tensors: list[torch.Tensor]) -> list[float]:
    """The 2-norm of each, worked out in float32 at least."""
    found = [0.0] * len(tensors)
    for dtype in {one.dtype for one in tensors}:
        places = [place for place, one in enumerate(tensors) if one.dtype is dtype]
        wider = [] if dtype is torch.float64 else [torch.float32]
        norms = torch.stack(torch._foreach_norm([tensors[place] for place in places], 2, *wider)).tolist()
        for place, norm in zip(places, norms, strict=True):
            found[place] = norm
    return found
