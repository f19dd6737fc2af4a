"""A fact: parameters that go by several names are one tensor."""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.held.ties import ties
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule


class TiedParameters(Rule):
    """The rule `tied-parameters`."""

    name = "tied-parameters"
    severity = "info"

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done != "step":
            return
        for name, others in ties(moment).items():
            if name not in self._told:
                self._told.add(name)
                yield self.finding(
                    moment,
                    f"{name} is the same tensor as {some(others)}: its gradient is the sum of what comes by each",
                    objects=[name, *others],
                    place=moment.place,
                    evidence=f"{1 + len(others)} names, one tensor",
                )
