"""Every how many updates a free run is sampled, so that this takes next to none of its time."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count
from time import monotonic_ns, thread_time_ns

from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import PhaseTracker

WAY_NS = 1_500_000
"""The time that it takes beside the evaluation to come to a sample and to go on from it (ns).

The notes of the phases since the last one are read, and the updates around it are looked at, by code that no processor
cache holds any more.
"""
FELT_NS = 50_000_000
"""A sample that takes longer (ns) is felt where training is stepped through: some 2,500 parameters."""


class SamplingPace:
    """Learns what a sample costs and how long an update takes, and says when the next one is due.

    Args:
        share: The share of training's time that sampling may take.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self.every = 1
        """Every so many updates there is a sample, and at update 1, 2, 5, 10, 20, … below that: 1, 2, 5, 10, 20, …"""
        self.due = 0
        """The update after whose last step the next sample is to be taken; after a later one, where that went by."""
        self._costs: tuple[int, ...] = ()
        """The times that the last samples took (ns)."""
        self._before: tuple[int, int] | None = None
        """The update of the last sample, and the time of this thread when that was done (ns); None where training
        waited since.
        """
        self._began = (0, 0)
        """When the sample that is being taken began, as time and as time of this thread (ns)."""

    @property
    def is_slow(self) -> bool:
        """Whether a sample takes so long that one at each stop would be felt."""
        return bool(self._costs) and self._cost() > FELT_NS

    def begin(self) -> None:
        """A sample is about to be taken."""
        self._began = monotonic_ns(), thread_time_ns()

    def sampled(self, update: int, before_ns: int = 0) -> None:
        """A sample was taken.

        How long an update takes is told by the time that this thread has computed: what it has waited for data, for a
        device or for its turn is none that may be spent.

        Args:
            update: After that update.
            before_ns: The time that was taken for it earlier, besides (ns).
        """
        began, computed = self._began
        self._costs = (*self._costs, monotonic_ns() - began + before_ns)[-3:]
        if self._before is not None and update > self._before[0]:
            last, since = self._before
            self.every = _rounded(self._cost() / (self._share * max(1, computed - since) / (update - last)))
        self._before = (update, thread_time_ns())
        self.due = min((update // self.every + 1) * self.every, _rounded(update + 1))

    def waited(self) -> None:
        """Training has waited for the user: the time since the last sample tells nothing."""
        self._before = None
        self.due = 0

    def phases_ahead(self, phases: PhaseTracker) -> int | None:
        """So many phases of a free run can go by before its steps are to be looked at; None where they are from now
        on.
        """
        left = self.due - phases.update
        usual = sum(phase.outer is None for phase in phases.before)
        return (left - 1) * usual if left > 1 and usual else None

    def _cost(self) -> int:
        """What a sample takes (ns): the middle one of the last three, since the first does what is done only once."""
        costs = sorted(self._costs)
        return WAY_NS + costs[(len(costs) - 1) // 2]


def _rounded(wanted: float) -> int:
    """The least of 1, 2, 5, 10, 20, … that is not below."""
    ladder = (step * int(10**power) for power in count() for step in (1, 2, 5))
    return next(rung for rung in ladder if rung >= wanted)


def was_last_step(phases: PhaseTracker) -> bool:
    """Whether the update that training is in has had as many steps by now as the one before it had."""
    running = phases.running
    had = _steps(phases.done) + (running is not None and running.name == "step")
    return had >= max(1, _steps(phases.before))


def _steps(phases: Iterable[Phase]) -> int:
    """How many of these are steps that lie within no other phase."""
    return sum(phase.name == "step" and phase.outer is None for phase in phases)
