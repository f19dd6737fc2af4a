"""Weights that were one tensor are two now: from then on each goes its own way, and one of them may be in no optimizer.

Told where two names that were tied at an earlier boundary of this run, in an optimizer, belong to two tensors of the
same model. If that same optimizer holds both now (`add_param_group`), they were untied on purpose.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable

from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.held.ties import ties
from stepdbg.tracer.checks.membership import in_optimizers
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule


class BrokenTie(Rule):
    """The rule `broken-tie`."""

    name = "broken-tie"

    def __init__(self) -> None:
        self._tied: dict[str, tuple[str, int, weakref.ref[Optimizer]]] = {}
        """The names that were another's as well: that other name, the update in which they were seen so last, and the
        optimizer that held them.
        """
        self._broken: set[str] = set()

    def look(self, moment: Moment) -> Iterable[Finding]:
        parameters = moment.parameters
        for other, (name, update, holder) in [*self._tied.items()]:
            if other in parameters and name in parameters and parameters[other] is not parameters[name]:
                del self._tied[other]
                optimizer = holder()
                if optimizer is not None and {name, other}.issubset(moment.held_by(optimizer)):
                    continue
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
        tied = ties(moment)
        for _, optimizer in moment.optimizers if tied else ():
            for name in tied.keys() & set(moment.held_by(optimizer)):
                self._tied |= dict.fromkeys(tied[name], (name, moment.update, weakref.ref(optimizer)))

    def right(self) -> str:
        return "weights that are tied stay tied" if self._tied and not self._broken else ""
