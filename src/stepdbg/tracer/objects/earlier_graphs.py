"""What is remembered of the graphs of earlier updates, so that those that live on can be told: weak references to
losses and outputs, and by which sequence number each update had ended.

torch numbers the nodes of a thread as they are made. The numbers are remembered, never the nodes, so that nothing lives
longer for it; and no collection of garbage is asked for, since that would run the user's finalisers.
"""

from __future__ import annotations

import weakref
from bisect import bisect_left
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import torch

from stepdbg.protocol.messages import Kind
from stepdbg.tracer.phases.tracker import PhaseTracker

_REMEMBERED = 256
"""The number of losses and outputs that are remembered, the newest ones."""
_UPDATES = 4096
"""The number of losses of which the sequence number is kept."""


Updates = tuple[int, int]
"""The first and the last of those among which something was made: in a free run not every loss is noted."""
Clock = Callable[[int], Updates | None]
"""The updates that a sequence number may be of; None for what may be of this one."""


class Seen(NamedTuple):
    """A loss or an output, as it was noted."""

    ref: weakref.ref[torch.Tensor]
    kind: Kind
    update: int


@dataclass(slots=True)
class Earlier:
    """Losses and outputs by the update in which they came into being."""

    phases: PhaseTracker = field(default_factory=PhaseTracker)
    _seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=_REMEMBERED))
    _losses: deque[tuple[int, int]] = field(default_factory=lambda: deque(maxlen=_UPDATES))
    """The sequence number of the node that made each loss, and its update."""

    def note(self, kind: Kind, ref: weakref.ref[torch.Tensor]) -> None:
        """A loss or an output has just come into being."""
        self._seen.append(Seen(ref, kind, self.phases.update))

    def note_loss(self, ref: weakref.ref[torch.Tensor], update: int | None = None) -> None:
        """A loss has, or had in that update; what is numbered higher came later."""
        update = update or self.phases.update
        self._seen.append(Seen(ref, "loss", update))
        tensor = ref()
        if tensor is not None and (node := tensor.grad_fn) is not None:
            self._losses.append((node._sequence_nr(), update))

    def alive(self) -> list[tuple[torch.Tensor, Kind, int]]:
        """The losses and outputs that are still there, with the update that they were made in; oldest first."""
        return [(tensor, one.kind, one.update) for one in self._seen if (tensor := one.ref()) is not None]

    def nodes_by(self, update: int) -> int:
        """How many nodes there were at least when the newest loss that is known up to that update was made."""
        return max((number for number, of in self._losses if of <= update), default=0)

    def clock(self) -> Clock:
        """What tells from a node's sequence number when it was made.

        The numbers are those of the thread that trains: for nodes of a double backward on a device, whose threads count
        by themselves, it may be wrong.
        """
        losses = sorted(self._losses)
        numbers, updates, now = [number for number, _ in losses], [update for _, update in losses], self.phases.update

        def when(number: int) -> Updates | None:
            place = bisect_left(numbers, number)
            last = updates[place] if place < len(updates) else now
            if last >= now:
                return None
            first = updates[place - 1] + 1 if place else 1
            return min(first, last), last

        return when
