"""Gradients are clipped where that does nothing: after the step that has used them, before the backward that makes
them, or those of parameters that nobody steps.

A clip with an infinite limit only measures, and may stand anywhere. Gradients that the script puts in place itself are
as good as those of a backward. That nobody steps what is clipped is told once the clip comes again, if nothing has
moved the parameters in between, and every gradient that was stepped with came from a backward.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.clipping import Clipping, clipping
from stepdbg.tracer.checks.membership import in_optimizers
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.rule import Rule


class ClipMisplaced(Rule):
    """The rule `clip-misplaced`."""

    name = "clip-misplaced"

    def __init__(self) -> None:
        self._fresh: set[str] | None = None
        """The parameters whose gradients backward has written and no step has used since; None where that is not
        known."""
        self._used: set[str] = set()
        """Those whose gradients a step has used since."""
        self._idle: dict[Place | None, set[str]] = {}
        """Parameters that were clipped and are in no optimizer, by the line; what has moved since is not among them."""
        self._stepped = self._foreign = False
        """Whether there was a step since such a clip; and one with gradients that no backward has written."""
        self._right = self._wrong = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._follow(moment)
        clip = clipping(moment)
        if clip is not None and not clip.measures:
            found = [*self._of(moment, clip)]
            self._right, self._wrong = self._right or not found, self._wrong or bool(found)
            yield from found

    def _follow(self, moment: Moment) -> None:
        """What the phase done has made of the gradients."""
        moved = {one.object for one in moment.effects if one.kind == "parameter"}
        for idle in self._idle.values():
            idle -= moved
        if moment.done == "step":
            self._stepped = True
            of_it = moment.held_by(moment.optimizer[1]) if moment.optimizer is not None else []
            stepped = [name for name in of_it if moment.gradient_of(name) is not None]
            self._foreign = self._foreign or any(moment.reached.get(name, -1) < moment.update for name in stepped)
        own = moment.done in ("zero_grad", "step", "clip", "unscale")
        written = {
            one.object.removesuffix(".grad")
            for one in (moment.by_script if own else moment.effects)
            if one.kind == "grad" and one.what != "freed"
        }
        if moment.done == "backward" or written:
            self._fresh = (self._fresh or set()) | written
            self._used -= written
        if moment.done == "step" and self._fresh is not None:
            held = set(moment.held_by(moment.optimizer[1])) if moment.optimizer is not None else set(self._fresh)
            self._used |= self._fresh & held
            self._fresh -= held

    def _of(self, moment: Moment, clip: Clipping) -> Iterator[Finding]:
        if clip.exhausted:
            yield self._finding(
                moment,
                "the generator of parameters that is clipped has nothing left to give: no gradient is clipped",
                [],
                "it was iterated over before, as where an optimizer was made of it",
                "give the clip model.parameters() anew, or keep the parameters in a list",
                "0 parameters are left in it",
            )
            return
        if clip.parameters is None:
            return
        names = moment.name_of
        given = [names[id(one)] for one in clip.parameters if id(one) in names]
        held = in_optimizers(moment)
        if given and held and not any(id(one) in held for one in clip.parameters):
            idle = self._idle.get(moment.here)
            self._idle[moment.here] = set(given)
            sure = self._stepped and not self._foreign
            self._stepped = self._foreign = False
            if not idle or len(idle) < len(given) or not sure:
                return
            yield self._finding(
                moment,
                f"the gradients of {some(given)} are clipped, and no optimizer holds any of them",
                given,
                "the clip is given other parameters than the optimizers",
                "clip the parameters that the optimizer was made of",
                f"0 of {len(given)} parameters are among the {len(held)} that optimizers hold",
            )
        elif given and self._fresh is not None and self._fresh.isdisjoint(given):
            used = self._used.intersection(given)
            where = "after the step that has used them" if used else "before a backward has made them"
            step = at(moment.place_of("step"))
            cause = f"the step at {step} comes between backward and the clip" if used else "the clip precedes backward"
            yield self._finding(
                moment,
                f"gradients are clipped {where}: the clip has no effect on any step",
                given,
                cause,
                "clip between backward and the step",
                f"of {len(given)} gradients none was written by a backward since the last step",
            )

    def _finding(
        self, moment: Moment, message: str, objects: Iterable[str], cause: str, fix: str, evidence: str
    ) -> Finding:
        return self.finding(moment, message, objects=objects, evidence=evidence, cause=cause, fix=fix)

    def forget(self) -> None:
        self._fresh = None
        self._used.clear()
        self._idle.clear()

    def right(self) -> str:
        return "gradients are clipped between backward and step" if self._right and not self._wrong else ""
