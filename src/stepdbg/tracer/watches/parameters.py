"""The history of every parameter over the updates that were sampled: its gradient's norm, and how far it has moved.

It is always on, at a low rate: an update is sampled when that takes less than `SHARE` of the time since the last one.
What a step changes is told from copies of a part of the parameters, another part at each sample where there are many.
What lies on a device is worked out there and filled in later (`far_norms`): nothing waits for it.
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
from stepdbg.tracer.session.on_the_way import can_travel, is_far
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.tensors.readable import ORDINARY, Unreadable, local
from stepdbg.tracer.watches.far_norms import FarNorms, Moved
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
        self._far = FarNorms()
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

    def wanted(self, *, free: bool) -> bool:
        """Whether the update that training is in is to be sampled: in a run that is stepped through each one, where
        that takes no time that would be felt.
        """
        return self.due or not (free or self.pace.is_slow)

    def waited(self) -> None:
        """Training has waited for the user."""
        if not self.pace.is_slow:
            self.pace.waited()

    def before_step(self) -> None:
        """A step of an update that is to be sampled begins: copy some of the parameters, unless an earlier step did."""
        if self._copies or devices.capturing():
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
            if (copy := _copied(one)) is not None:
                self._copies[place] = copy
            room -= one.numel()

    def update_done(self) -> None:
        """The last step of an update that is to be sampled is done."""
        roster, copies = self._roster, self._copies
        self.pace.begin()
        self._copies, self._sampled = {}, self._phases.update
        if roster is None or devices.capturing():  # the step began before anybody looked
            return
        self._far.fill_in()
        with Unobserved(), uncollected():
            known = [one for one in self._parameters() if is_plain(one)]
            if roster.is_of(known):
                self._samples.append(self._sample(roster, known, copies))
        while len(self._samples) > 1 and 2 * len(self._samples) * len(known) > _MOST_FIGURES:
            self._samples.popleft()
        self.pace.sampled(self._sampled, self._copying_ns)

    def _sample(self, roster: _Roster, known: list[torch.Tensor], copies: dict[int, torch.Tensor]) -> _Sample:
        """The sample of the update just done; what lies on a device is filled in when it has come."""
        graded = [(place, grad) for place, grad in enumerate(gradients(known)) if grad is not None and is_plain(grad)]
        moved = [
            Moved(place, known[place].detach(), copy)
            for place, copy in copies.items()
            if copy.shape == known[place].shape and copy.device == known[place].device
        ]
        near, close = [one for one in graded if not is_far(one[1])], [one for one in moved if not is_far(one.now)]
        found = _Sample(self._sampled, roster, _gradients(near, len(known)), _ratios(close, len(known)))
        if len(near) < len(graded) or len(close) < len(moved):
            there, beyond = [one for one in graded if is_far(one[1])], [one for one in moved if is_far(one.now)]
            self._far.ask(found.gradients, found.ratios, there, beyond)
        return found

    def of(self, parameter: torch.Tensor) -> list[tuple[int, float, float]]:
        """Update, norm of the gradient, and ratio of each sample that has the parameter, oldest first."""
        self._far.fill_in(wait=True)
        found = []
        for sample in self._samples:
            place = sample.roster.place(parameter)
            if place is not None:
                found.append((sample.update, sample.gradients[place], sample.ratios[place]))
        return found


def is_plain(tensor: torch.Tensor) -> bool:
    """Whether a tensor's numbers lie in memory and can be gone over quickly, on a device without waiting for it."""
    if not (type(tensor) in ORDINARY and tensor.dtype in _TYPES and tensor.layout is torch.strided):
        return False
    if not (can_travel(tensor.device) if is_far(tensor) else tensor.is_cpu):
        return False
    try:
        local(tensor)
    except Unreadable:
        return False
    return True


def _copied(tensor: torch.Tensor) -> torch.Tensor | None:
    """A copy of a parameter; None where there is no memory for one."""
    try:
        return tensor.detach().clone()
    except RuntimeError:
        return None


def _gradients(there: list[tuple[int, torch.Tensor]], count: int) -> array[float]:
    """The 2-norms of these gradients, each by its place among so many."""
    found = array("f", [NOT_SEEN]) * count
    for (place, _), norm in zip(there, _norms([grad for _, grad in there]), strict=True):
        found[place] = norm
    return found


def _ratios(moved: list[Moved], count: int) -> array[float]:
    """The norm of what has changed of each, over that of what it is, by its place among so many."""
    changes, now = [one.now - one.before for one in moved], [one.now for one in moved]
    found = array("f", [NOT_SEEN]) * count
    for one, change, size in zip(moved, _norms(changes), _norms(now), strict=True):
        found[one.place] = change / size if size else math.inf if change else 0.0
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
