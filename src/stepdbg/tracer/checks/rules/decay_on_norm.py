"""A fact: weight decay is applied to the weights of normalisations, or to biases."""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import groups_of, members_of, parameters_of_group
from stepdbg.tracer.introspect.plain import number_of
from stepdbg.tracer.introspect.safe_access import is_a

_NORMS = (_NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)


class DecayOnNorm(Rule):
    """The rule `decay-on-norm`."""

    name = "decay-on-norm"
    severity = "info"

    def __init__(self) -> None:
        self._told: set[str] = set()

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done != "step" or moment.optimizer is None or moment.optimizer[0] in self._told:
            return
        name, optimizer = moment.optimizer
        self._told.add(name)
        norms = {
            id(parameter)
            for _, module in moment.modules()
            if is_a(module, _NORMS)
            for parameter in members_of(module)[0].values()
            if parameter is not None
        }
        for number, group in enumerate(groups_of(optimizer)):
            decay = number_of(group.get("weight_decay"))
            names = [moment.name_of.get(id(one), "") for one in parameters_of_group(group) if id(one) in norms]
            if decay and names:
                yield self.finding(
                    moment,
                    f"{name} decays the weights of normalisations: {some(names)}",
                    objects=names,
                    place=moment.place,
                    evidence=f"weight_decay={group['weight_decay']:g} in param_groups[{number}], which holds "
                    f"{len(names)} of them",
                )
