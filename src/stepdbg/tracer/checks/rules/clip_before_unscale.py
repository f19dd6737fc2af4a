"""Gradients are clipped while they are still multiplied by the scale of a GradScaler: a limit of 1 leaves nothing.

Told where a scaler that does something has scaled the loss, and has not unscaled the gradients of an optimizer that
holds what was clipped. A clip that has changed no gradient is told too: the limit is off by the same factor.
"""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.clipping import clipping
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import optimized_by


class ClipBeforeUnscale(Rule):
    """The rule `clip-before-unscale`."""

    name = "clip-before-unscale"

    def __init__(self) -> None:
        self._right = self._wrong = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        clip = clipping(moment)
        if clip is None:
            return
        several = len(moment.optimizers) > 1
        clipped = {id(one) for one in clip.parameters or ()}
        for name, optimizer in moment.optimizers:
            if (several or clipped) and clipped.isdisjoint(map(id, optimized_by(optimizer))):
                continue  # (of a generator nobody can tell whose it is, unless there is one optimizer)
            scale = moment.scale_of(optimizer)
            if scale == 1:
                self._right = True
                continue
            self._wrong = True
            yield self.finding(
                moment,
                f"the gradients of {name} are clipped while they are still {scale:g} times too large",
                objects=[name],
                evidence=f"the scaler's factor is {scale:g}, and unscale_ was not called since the backward at "
                f"{at(moment.place_of('backward'))}",
                cause="scaler.unscale_ is missing before the clip: the scaler unscales in its own step only, after it",
                fix=f"call scaler.unscale_({name}) right before the gradients are clipped",
            )

    def right(self) -> str:
        return "gradients are unscaled before they are clipped" if self._right and not self._wrong else ""
