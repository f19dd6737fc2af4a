"""A parameter gets gradients, and no optimizer holds it: it is trained by nobody.

A warning, since one who fine-tunes a head may leave the body unfrozen on purpose. Where an optimizer holds what no
model has any more, that is the cause, and told instead (`orphan-in-optimizer`).
"""

from __future__ import annotations

from collections.abc import Iterable

from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.membership import in_optimizers, orphans_of, trained_by_nobody
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.reached.targets import Targets
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.safe_access import is_a


class NotInOptimizer(Rule):
    """The rule `not-in-optimizer`."""

    name = "not-in-optimizer"
    severity = "warning"

    def __init__(self) -> None:
        self._whole = False
        """Whether every parameter that gets gradients was in an optimizer so far."""
        self._targets = Targets()
        """What is meant to be constant, and told as such (`target-not-detached`)."""
        self._unknown = False
        """Whether a loss depends on one that is in no model (`unregistered-parameter`)."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._targets.see(moment)
        if moment.graph is not None and not self._unknown:
            names = moment.name_of
            self._unknown = any(is_a(one, nn.Parameter) and id(one) not in names for one in moment.graph.leaves)
        if moment.done != "step" or not moment.optimizers or moment.comes == "step":
            return  # the optimizer of what is left may be made right before its own first step, as Pyro does
        alone = [name for name in trained_by_nobody(moment) if name not in self._targets.names]
        self._whole = not alone
        if alone and not any(any(orphans_of(moment, one)) for _, one in moment.optimizers):
            optimizers = some(name for name, _ in moment.optimizers)
            several = len(alone) > 1
            them = "them" if several else "it"
            held = len(in_optimizers(moment))
            yield self.finding(
                moment,
                f"{some(alone)} {'get' if several else 'gets'} gradients and {'are' if several else 'is'} in no "
                f"optimizer: no step will ever change {them}",
                objects=alone,
                place=moment.place,
                evidence=f"{len(alone)} of {len(moment.parameters)} parameters have gradients and are not "
                f"among the {held} that {optimizers} {'hold' if len(moment.optimizers) > 1 else 'holds'}",
                cause=f"{optimizers} {'were' if len(moment.optimizers) > 1 else 'was'} made without {them}",
                fix="give the optimizer all parameters that are to be trained, or set requires_grad_(False) on "
                "those that are not",
            )

    def right(self) -> str:
        return "every parameter that gets gradients is in an optimizer" if self._whole and not self._unknown else ""
