"""A parameter gets gradients, and no optimizer holds it: it is trained by nobody.

A warning, since one who fine-tunes a head may leave the body unfrozen on purpose. Told once all optimizers that step
have stepped, and of what has a gradient in every update.
"""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import optimized_by


class NotInOptimizer(Rule):
    """The rule `not-in-optimizer`."""

    name = "not-in-optimizer"
    severity = "warning"

    def __init__(self) -> None:
        self._written: set[str] = set()
        """The parameters to whose gradients a backward has written since the last step."""
        self._whole = False
        """Whether every parameter that gets gradients was in an optimizer so far."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done == "backward":
            self._written |= {one.object.removesuffix(".grad") for one in moment.by_call if one.kind == "grad"}
        elif moment.done == "step" and moment.optimizers:
            held = {id(one) for _, optimizer in moment.optimizers for one in optimized_by(optimizer)}
            alone = [
                name
                for name, tensor in moment.parameters.items()
                if name in self._written and tensor.requires_grad and id(tensor) not in held
            ]
            self._written.clear()
            self._whole = not alone
            if alone:
                optimizers = some(name for name, _ in moment.optimizers)
                several = len(alone) > 1
                yield self.finding(
                    moment,
                    f"{some(alone)} {'get' if several else 'gets'} gradients and {'are' if several else 'is'} in no "
                    f"optimizer: no step will ever change {'them' if several else 'it'}",
                    objects=alone,
                    place=moment.place,
                    evidence=f"{len(alone)} of {len(moment.parameters)} parameters have gradients and are not "
                    f"among the {len(held)} that {optimizers} {'hold' if len(moment.optimizers) > 1 else 'holds'}",
                    cause=f"{optimizers} was made without {'them' if several else 'it'}",
                    fix="give the optimizer all parameters that are to be trained, or set requires_grad_(False) on "
                    "those that are not",
                )

    def forget(self) -> None:
        self._written.clear()

    def right(self) -> str:
        return "every parameter that gets gradients is in an optimizer" if self._whole else ""
