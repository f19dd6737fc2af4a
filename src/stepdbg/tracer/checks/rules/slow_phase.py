"""Most of an update's time goes into waiting for data, or into another phase that computes no gradient.

By the times of the calls that are taken at each boundary anyway, without what looking at them takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from statistics import median

from stepdbg.protocol.messages import Finding, FindingSeverity
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.rule import Rule

_PART, _MS = 0.6, 30.0
"""A phase is slow that takes such a part of the time of the median update, and so many milliseconds."""
_UPDATES = 5
"""The fewest updates, without the first."""
_WORK = ("forward", "loss", "backward", "step")


class SlowPhase(Rule):
    """The rule `slow-phase`."""

    name = "slow-phase"
    severity = "warning"
    exact = False

    def __init__(self) -> None:
        self._times: dict[int, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        """The milliseconds of each update by phase."""
        self._workers = 0
        self._usual = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done and moment.boundary.ms is not None and not moment.inside:
            self._times[moment.update][moment.done] += moment.boundary.ms
        if moment.done == "data" and moment.fetched is not None:
            self._workers = moment.fetched.workers
        return ()

    def end(self, moment: Moment) -> Iterable[Finding]:
        updates = [times for update, times in sorted(self._times.items())[1:] if "step" in times]
        if len(updates) < _UPDATES:
            return
        phases = {name for times in updates for name in times} - {*_WORK}
        for name in sorted(phases):
            part = median(times.get(name, 0.0) / max(sum(times.values()), 1e-9) for times in updates)
            if part >= _PART and (ms := median(times.get(name, 0.0) for times in updates)) >= _MS:
                yield self._slow(moment, name, part, ms, len(updates))
                return
        self._usual = True

    def right(self) -> str:
        return "the time goes into forward, backward and step" if self._usual else ""

    def _slow(self, moment: Moment, name: str, part: float, ms: float, updates: int) -> Finding:
        place = moment.place_of(name)
        severity: FindingSeverity = "info"
        cause, fix = f"{name} at {at(place)} takes {ms:.0f} ms", ""
        if name == "data":
            severity = "warning"
            who = f"{self._workers} workers make" if self._workers else "the training process itself makes"
            cause = f"{who} the batches, and one takes {ms:.0f} ms"
            fix = (
                "prepare the samples once instead of in each epoch, or give the loader more workers"
                if self._workers
                else "give the loader num_workers, or prepare the samples once instead of in each epoch"
            )
        return self.finding(
            moment,
            f"{part:.0%} of the time of an update goes into {name}"
            + (": training waits for its batches" if name == "data" else ""),
            place=place,
            evidence=f"median over {updates} updates: {ms:.0f} ms in {name} of {ms / part:.0f} ms (threshold: "
            f"{_PART:.0%} and {_MS:g} ms)",
            cause=cause,
            fix=fix,
            severity=severity,
        )
