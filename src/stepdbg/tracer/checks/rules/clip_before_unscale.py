"""Gradients are clipped while they are still multiplied by the scale of a GradScaler: a limit of 1 leaves nothing.

Told where a scaler that does something has scaled the loss, and has not unscaled the gradients of an optimizer that
holds what was clipped. A clip that has changed no gradient is told too: the limit is off by the same factor. Not told
is a limit that is multiplied by the scale as well, a clip that only measures, and what the script unscales by hand.
"""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.clipping import clipping
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.places import lines_that_name_all
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import optimized_by

_FACTORS = ("get_scale", "_scale")
"""How the scale of a scaler is asked for."""
_NEAR = 3
"""Lines around the clip in which it may be, where the limit is not far below the scale."""


class ClipBeforeUnscale(Rule):
    """The rule `clip-before-unscale`."""

    name = "clip-before-unscale"

    def __init__(self) -> None:
        self._right = self._wrong = False
        self._scalings = self._ahead = 0
        """How often a loss was scaled; how many of these losses no backward was called on yet."""
        self._scaled: set[str] = set()
        """The parameters whose gradients the backward of a scaled loss has written, and nobody since."""
        self._backward_is_scaled = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._follow(moment)
        clip = clipping(moment)
        if clip is None or clip.measures:
            return
        several = len(moment.optimizers) > 1
        clipped = {id(one) for one in clip.parameters or ()}
        for name, optimizer in moment.optimizers:
            if (several or clipped) and clipped.isdisjoint(map(id, optimized_by(optimizer))):
                continue  # (of a generator nobody can tell whose it is, unless there is one optimizer)
            scale = moment.scale_of(optimizer)
            scaled = self._scaled.intersection(moment.held_by(optimizer))
            if scale == 1 or not scaled or _is_scaled_too(moment, clip.limit, scale):
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

    def _follow(self, moment: Moment) -> None:
        """Which gradients are scaled: a loss that was scaled is the next, or one of the next, to be gone back from."""
        self._ahead, self._scalings = self._ahead + moment.scalings - self._scalings, moment.scalings
        if moment.done == "backward":
            if self._backward_is_scaled:
                self._scaled |= moment.written
            else:
                self._scaled -= moment.written
        elif moment.done not in ("clip", "unscale"):
            self._scaled -= moment.written
        since = (one for one in moment.by_script if one.kind == "grad" and (one.after or moment.done != "backward"))
        self._scaled -= {one.object.removesuffix(".grad") for one in since}
        if moment.comes == "backward":
            self._backward_is_scaled = self._ahead > 0
            self._ahead = max(0, self._ahead - 1)

    def forget(self) -> None:
        self._scaled.clear()

    def right(self) -> str:
        return "gradients are unscaled before they are clipped" if self._right and not self._wrong else ""


def _is_scaled_too(moment: Moment, limit: float | None, scale: float) -> bool:
    """Whether the limit is multiplied by the scale: the call, or a line by it, asks for the scale."""
    if limit is None:
        return True
    if limit * 1000 < scale:
        return False
    here = moment.here
    lines = {place for name in _FACTORS for place in lines_that_name_all(moment, name)}
    return here is not None and any(file == here[0] and abs(line - here[1]) <= _NEAR for file, line in lines)
