"""The values of losses and of what is watched, for the live chart, read without making training wait.

On the CPU a value is there to be read. On a device it is copied into pinned memory on the stream that computes it, and
picked up at a later boundary, when an event says that it has arrived: reading it at once would wait for the whole
forward pass. An error that the device reports meanwhile is the user's own, and is left for their line to meet.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from stepdbg.protocol.page import LOSS_NAMES, WATCH_NAMES
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.tensors.devices import capturing, module_of

_UNDERWAY = 64
"""The number of values that may be on their way; beyond it a new one is left out of the chart."""


@dataclass(slots=True)
class _Copy:
    """A value on its way from the device."""

    event: Any
    value: torch.Tensor
    """The value, a float64 in pinned memory."""
    device: torch.device
    """The device whose event it is."""
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
        self._underway: deque[_Copy] = deque()
        self._spare: defaultdict[torch.device, list[_Copy]] = defaultdict(list)
        self._early: deque[tuple[float, str, int]] = deque(maxlen=_UNDERWAY)
        """Losses that were read before the session was entered, which is at the first boundary."""

    def begin_anew(self) -> None:
        """Nothing has been read, and the page is another one."""
        self._indices.clear()
        self._underway.clear()
        self._early.clear()

    def joined(self) -> None:
        """The session has been entered: there is a page by now."""
        while self._early:
            self.take(*self._early.popleft())

    def read(self, loss: torch.Tensor, name: str, update: int, *, watched: bool = False) -> None:
        """Take the value of a loss, or of what is watched: a tensor of one real number."""
        if loss.is_cpu:
            try:
                value = loss.item()
            except RuntimeError:  # its data cannot be read; of what is watched that is told
                if watched:
                    raise
                return
            self.take(value, name, update, watched=watched)
        elif not loss.is_meta and not capturing():
            try:
                self._send_for(loss, name, update, watched)
                self.settle()
            except Exception:  # an error of the user's that the device has kept until now: it is met at their line
                self._underway.clear()

    def none(self, update: int) -> None:
        """The loss of that update is no number."""
        self._phases.loss, self._phases.loss_of = None, update

    def take(self, value: float, name: str, update: int, *, watched: bool = False) -> None:
        """Take a number that is there already."""
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
        if not self._underway or capturing():
            return
        while self._underway:
            copy = self._underway[0]
            try:
                if wait:
                    copy.event.synchronize()
                elif not copy.event.query():
                    return
            except Exception:  # as in `read`
                self._underway.clear()
                return
            self._underway.popleft()
            self.take(float(copy.value), copy.name, copy.update, watched=copy.watched)
            self._spare[copy.device].append(copy)

    def _send_for(self, loss: torch.Tensor, name: str, update: int, watched: bool) -> None:
        device, module = loss.device, module_of(loss.device.type)
        kind, stream = getattr(module, "Event", None), getattr(module, "current_stream", None)
        if kind is None or stream is None:  # a kind of device that has none of them: there is no way but to wait
            self.take(loss.item(), name, update, watched=watched)
            return
        if len(self._underway) >= _UNDERWAY:
            return
        spare = self._spare[device]  # an event belongs to the device on which it is recorded first
        if not spare:
            value = torch.empty((), dtype=torch.float64, device="cpu", pin_memory=True)
            spare.append(_Copy(kind(), value, device, name, update, watched))
        copy = spare.pop()
        copy.name, copy.update, copy.watched = name, update, watched
        with torch.no_grad():
            copy.value.copy_(loss.detach().reshape(()), non_blocking=True)
        copy.event.record(stream(device))
        self._underway.append(copy)

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
