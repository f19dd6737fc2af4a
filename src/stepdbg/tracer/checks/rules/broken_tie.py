"""Weights that were one tensor are two now: from then on each goes its own way, and one of them may be in no optimizer.

Told where two names that were tied at an earlier boundary of this run belong to two tensors of the same model.
"""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.membership import in_optimizers
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule


class BrokenTie(Rule):
    """The rule `broken-tie`."""

    name = "broken-tie"

    def __init__(self) -> None:
        self._tied: dict[str, tuple[str, int]] = {}
        """The names that were another's as well: that other name, and the update in which they were seen so last."""
        self._broken: set[str] = set()

    def look(self, moment: Moment) -> Iterable[Finding]:
        parameters = moment.parameters
        for other, (name, update) in [*self._tied.items()]:
            if other in parameters and name in parameters and parameters[other] is not parameters[name]:
                del self._tied[other]
                self._broken.add(other)
                held = in_optimizers(moment)
                alone = [one for one in (name, other) if id(parameters[one]) not in held]
                yield self.finding(
                    moment,
                    f"{name} and {other} were one tensor until update {update}, and are two now",
                    objects=[name, other],
                    place=moment.place,
                    evidence=f"tied at the boundary before; now {len(alone)} of the two "
                    f"{'is' if len(alone) == 1 else 'are'} in no optimizer" + (f" ({some(alone)})" if alone else ""),
                    cause=f"{some(alone) or other} was assigned anew after {moment.done or 'the boundary'}, before "
                    f"{moment.comes or 'the end'} (a new Parameter, or load_state_dict with assign=True)",
                    fix=f"tie them again where that is done ({other} = {name}), before the optimizer is made",
                )
        for name, others in moment.registry.also.items():
            if name in parameters:
                self._tied |= dict.fromkeys(others, (name, moment.update))

    def right(self) -> str:
        return "weights that are tied stay tied" if self._tied and not self._broken else ""
