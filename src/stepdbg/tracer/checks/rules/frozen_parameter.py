"""A fact: parameters that require no gradient."""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import parameters_in


class FrozenParameter(Rule):
    """The rule `frozen-parameter`."""

    name = "frozen-parameter"
    severity = "info"

    def __init__(self) -> None:
        self._told = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done != "step" or self._told:
            return
        self._told = True
        for name, model in moment.models:
            names, own = moment.name_of, [*parameters_in(model)]
            frozen = [names[id(one)] for one in own if not one.requires_grad and id(one) in names]
            if frozen and len(frozen) < len(own):  # (all of it: a reference, a target network, an average)
                elements = sum(one.numel() for one in own if not one.requires_grad)
                yield self.finding(
                    moment,
                    f"{len(frozen)} of the {len(own)} parameters of {name} are frozen: {some(frozen)}",
                    objects=frozen,
                    place=moment.place,
                    evidence=f"requires_grad is False for {elements:,} elements",
                )
