"""Every how many updates a free run is sampled, so that this takes next to none of its time."""

from __future__ import annotations

from itertools import count

SHARE = 0.01
"""The share of training's time that sampling may take."""
WAY_NS = 80_000
"""The time that it takes beside the evaluation to come to a sample: phases that are not only noted around it."""


class SamplingPace:
    """Learns what a sample costs and how long an update takes, and says when the next one is due."""

    def __init__(self) -> None:
        self.every = 1
        """Every so many updates there is a sample: 1, 2, 5, 10, 20, …"""
        self.due = 0
        """The update after whose last step the next sample is to be taken; after a later one, where that went by."""
        self._costs: tuple[int, ...] = ()
        """The times that the last samples took (ns)."""
        self._before: tuple[int, int] | None = None
        """The update of the last sample, and when that was done (ns, monotonic); None where training waited since."""

    def sampled(self, update: int, began_ns: int, ended_ns: int) -> None:
        """A sample was taken.

        Args:
            update: After that update.
            began_ns: When it began (`monotonic_ns`).
            ended_ns: When it was done.
        """
        self._costs = (*self._costs, ended_ns - began_ns)[-3:]
        if self._before is not None and update > self._before[0]:
            last, since = self._before
            self.every = _rounded(self._cost() / (SHARE * max(1, began_ns - since) / (update - last)))
        self._before = (update, ended_ns)
        self.due = (update // self.every + 1) * self.every

    def waited(self) -> None:
        """Training has waited for the user: the time since the last sample tells nothing."""
        self._before = None
        self.due = 0

    def _cost(self) -> int:
        """What a sample takes (ns): the middle one of the last three, since the first does what is done only once."""
        costs = sorted(self._costs)
        return WAY_NS + costs[(len(costs) - 1) // 2]


def _rounded(wanted: float) -> int:
    """The least of 1, 2, 5, 10, 20, … that is not below."""
    ladder = (step * int(10**power) for power in count() for step in (1, 2, 5))
    return next(rung for rung in ladder if rung >= wanted)
