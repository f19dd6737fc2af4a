"""The values of losses and of what is watched, for the live chart, read without making training wait.

On the CPU a value is there to be read. On a device it is copied into pinned memory on the stream that computes it, and
picked up at a later boundary, when an event says that it has arrived: reading it at once would wait for the whole
forward pass. An error that the device reports meanwhile is the user's own, and is left for their line to meet.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

import torch

from stepdbg.protocol.page import LOSS_NAMES, WATCH_NAMES
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session import on_the_way
from stepdbg.tracer.session.on_the_way import OnTheWay, can_travel
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.tensors.devices import capturing

_UNDERWAY = 64
"""The number of values that may be on their way; beyond it a new one is left out of the chart."""


class _Reading(NamedTuple):
    """What a value on its way from the device is."""

    name: str
    update: int
    watched: bool


class Losses:
    """Reads each loss and each watched value once; a loss goes to the phase tracker, both go to the shared page."""

    def __init__(self, phases: PhaseTracker, rank: Rank) -> None:
        self._phases = phases
        self._rank = rank
        self._indices: dict[tuple[str, bool], int] = {}
        """The indices of the names that the page's ring knows, of losses and of watched values."""
        self._underway = OnTheWay[_Reading](_UNDERWAY)
        self._early: deque[tuple[float, str, int]] = deque(maxlen=_UNDERWAY)
        """Losses that were read before the session was entered, which is at the first boundary."""
        self.keeps = False
        """Whether a loss on a device is kept there until the next one, for what is asked without waiting."""
        self.kept: torch.Tensor | None = None
        """The newest loss where it lies on a device and is kept: one number, float64."""

    def begin_anew(self) -> None:
        """Nothing has been read, and the page is another one."""
        self._indices.clear()
        self._underway.forget()
        self._early.clear()
        self.kept = None

    def joined(self) -> None:
        """The session has been entered: there is a page by now."""
        while self._early:
            self.take(*self._early.popleft())

    def read(self, loss: torch.Tensor, name: str, update: int, *, watched: bool = False) -> None:
        """Take the value of a loss, or of what is watched: a tensor of one real number."""
        if on_the_way.is_far(loss):
            if capturing():
                return
            try:
                if self.keeps and not watched:
                    self._keep(loss)
                self._send_for(loss, name, update, watched)
                self.settle()
            except Exception:  # an error of the user's that the device has kept until now: it is met at their line
                self._underway.forget()
        elif loss.is_cpu:
            try:
                value = loss.item()
            except RuntimeError:  # its data cannot be read; of what is watched that is told
                if watched:
                    raise
                return
            self.take(value, name, update, watched=watched)

    def none(self, update: int) -> None:
        """The loss of that update is no number."""
        self.kept = None
        self._phases.loss, self._phases.loss_of = None, update

    def take(self, value: float, name: str, update: int, *, watched: bool = False) -> None:
        """Take a number that is there already."""
        if not watched:
            self.kept = None
        self._take(value, name, update, watched)

    def _take(self, value: float, name: str, update: int, watched: bool) -> None:
        if not watched:
            self._phases.loss, self._phases.loss_of = value, update
        page = self._rank.page
        if page is not None:
            page.add_loss(update, self._index(name, watched), value)
        elif not watched:
            self._early.append((value, name, update))

    def take_all(self, names: Sequence[str], first: int, rounds: int, values: Iterator[float]) -> None:
        """Take the losses of several updates that are alike.

        Args:
            names: In each update, these.
            first: The number of the first update.
            rounds: So many updates.
            values: From here come the values, update after update.
        """
        if not names or not rounds or (page := self._rank.page) is None:
            return
        indices = [self._index(name) for name in names]
        found = [(first + past, index, next(values)) for past in range(rounds) for index in indices]
        self._phases.loss_of, _, self._phases.loss = found[-1]
        page.add_losses(found)

    def settle(self, *, wait: bool = False) -> None:
        """Pick up what has arrived meanwhile, or, where training stops anyhow, all of it.

        Not while a CUDA graph is recorded: then it may not even be asked whether a copy has arrived.
        """
        if not self._underway:
            return
        try:
            for reading, values in self._underway.arrived(wait=wait):
                self._take(float(values), *reading)
        except Exception:  # as in `read`
            self._underway.forget()

    def newest(self) -> float | None:
        """The newest loss, waited for."""
        self.settle(wait=True)
        return self._phases.loss

    def _keep(self, loss: torch.Tensor) -> None:
        self.kept = None
        if can_travel(loss.device):
            with suppress(RuntimeError):  # a device without such numbers
                self.kept = loss.detach().reshape(()).to(torch.float64, copy=True)

    def _send_for(self, loss: torch.Tensor, name: str, update: int, watched: bool) -> None:
        if can_travel(loss.device):
            self._underway.send_for(loss.detach().reshape(()), _Reading(name, update, watched))
        else:  # a kind of device that there is no way to ask but to wait
            self.take(loss.item(), name, update, watched=watched)

    def _index(self, name: str, watched: bool = False) -> int:
        """The index of that name on the page."""
        index = self._indices.get((name, watched))
        if index is None:
            index = self._indices[name, watched] = self._next_index(watched)
            if self._rank.page is not None:
                self._rank.page.name_loss(index, name)
        return index

    def _next_index(self, watched: bool) -> int:
        """A place among the names of its kind; the last one is shared by all for whom there is none."""
        taken = sum(kind == watched for _, kind in self._indices)
        return LOSS_NAMES + min(taken, WATCH_NAMES - 1) if watched else min(taken, LOSS_NAMES - 1)
