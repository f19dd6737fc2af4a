"""The first value that is not finite, once it has spoilt what is trained: the object, the phase, and what has made it.

Which it is and what has made it is found as for `--stop-on nan` (`tracer/nonfinite`). A NaN in a batch or an output may
be meant (samples that are masked later), and gradients that are not finite may be skipped by the script: these are
kept until the loss, a parameter or an optimizer's state is not finite either.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator

import torch

from stepdbg.protocol.messages import BadValue, Finding
from stepdbg.tracer.checks.moment import Moment, Place, at
from stepdbg.tracer.checks.places import line_that_binds_name, line_that_names
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.nonfinite.finite import is_bad
from stepdbg.tracer.nonfinite.words import in_words, producer_in_words

_FIXES = {
    "batch": "leave such samples out, or fill them in, where the data is read",
    "output": "keep the operator's inputs in its domain",
    "loss": "keep the operator's inputs in its domain: clamp what is divided by or what the logarithm is taken of, or "
    "use a loss that takes logits",
    "grad": "keep the operator away from where its derivative is infinite: add a small number before a root, a norm or "
    "a division",
    "parameter": "lower the learning rate, or clip the gradients before the step",
    "state": "lower the learning rate, or clip the gradients before the step",
    "hyperparameter": "set it to a finite number",
}


class NonFinite(Rule):
    """The rule `non-finite`."""

    name = "non-finite"

    def __init__(self) -> None:
        self._waiting: tuple[Finding, str] | None = None
        """The first bad value, of which it is not known yet whether it does harm, and its kind."""
        self._steps = 0
        self._over = False
        """Whether it was told: what is not finite after that comes of it."""
        self._gone_through: weakref.ref[torch.Tensor] | None = None
        """The loss that backward went through last."""

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done == "step":
            self._steps += 1
        if moment.comes == "backward" and (loss := moment.registry.newest.loss()) is not None:
            self._gone_through = weakref.ref(loss)
        bad = moment.bad
        if self._over:
            return
        if bad is not None:
            kind = _kind(moment, bad)
            found = self._told(moment, bad, kind)
            if kind in ("parameter", "state", "hyperparameter"):
                self._over = True
                yield self._waiting[0] if self._waiting is not None else found
                return
            if self._waiting is None:
                self._waiting = found, kind
        yield from self._does_harm(moment)

    def end(self, moment: Moment) -> Iterable[Finding]:
        if self._over:
            return
        if self._waiting is not None and self._waiting[1] in ("loss", "grad"):
            yield self._waiting[0]
        elif self._waiting is None and moment.boundary.next is None and (loss := _loss(moment)) is not None:
            known = self._gone_through() if self._gone_through is not None else None
            bad = moment.bad_loss(loss) if loss is not known and loss.requires_grad else None
            if bad is not None:
                yield self._told(moment, bad, "loss")

    def right(self) -> str:
        return "no NaN or infinity in losses, gradients, parameters and states" if self._steps else ""

    def _does_harm(self, moment: Moment) -> Iterator[Finding]:
        """What is waiting, if it has come to where it is not meant to be."""
        if self._waiting is None:
            return
        found, kind = self._waiting
        if moment.comes == "backward" and kind in ("batch", "output") and (loss := _loss(moment)) is not None:
            own = moment.bad_loss(loss)
            if own is not None and own.producer is not None and own.producer.line and not own.producer.given:
                found, kind = self._told(moment, own, "loss"), "loss"
            self._waiting = found, "loss"
        elif moment.done == "step" and not moment.skipped:
            trained = [one for one in moment.parameters.values() if one.requires_grad]
            if is_bad(trained, infinite=True):
                self._over = True
                yield found
            elif kind in ("batch", "output"):
                self._waiting = None
                yield self._meant(moment, found)
            else:
                self._waiting = None

    def _meant(self, moment: Moment, found: Finding) -> Finding:
        return self.finding(
            moment,
            found.message,
            objects=found.objects,
            place=(found.file, found.line) if found.line else None,
            evidence="the loss, gradients and parameters of the update are finite",
            cause=found.cause,
            fix="nothing is to be done if it is masked on purpose",
            severity="info",
            update=found.first,
        )

    def _told(self, moment: Moment, bad: BadValue, kind: str) -> Finding:
        producer = bad.producer
        place = _place(moment, bad, kind)
        what = "NaN" if bad.kind == "nan" else "infinite"
        how = f"{bad.elements} of {bad.of} elements are" if bad.of > 1 else "its value is"
        when = f" after {bad.after} in update {moment.update}" if bad.after else ""
        if kind in ("parameter", "state") and producer is None:
            cause = f"the step at {at(moment.place)} has made it so"
        else:
            cause = producer_in_words(producer) if producer is not None else bad.unknown or "what made it is not known"
        return self.finding(
            moment,
            f"{in_words(bad).split('. ')[0]}: the first value that is not finite",
            objects=[bad.object],
            place=place,
            evidence=f"{how} {what}{when}; all was finite before",
            cause=cause,
            fix=_FIXES.get(kind, _FIXES["output"]),
        )


def _kind(moment: Moment, bad: BadValue) -> str:
    """What kind of object holds a bad value."""
    known = moment.alive.get(bad.object)
    if known is not None:
        return known.kind
    if "param_groups[" in bad.object:
        return "hyperparameter"
    return next((kind for kind in ("batch", "loss", "grad", "output") if bad.object.endswith(kind)), "output")


def _loss(moment: Moment) -> torch.Tensor | None:
    """The newest loss, if it is not finite."""
    loss = moment.registry.newest.loss()
    return loss if loss is not None and is_bad([loss], infinite=True) else None


def _place(moment: Moment, bad: BadValue, kind: str) -> Place | None:
    if bad.producer is not None and bad.producer.line:
        return bad.producer.file, bad.producer.line
    if bad.producer is not None and bad.producer.what.endswith("Backward0"):
        operator = bad.producer.what.removesuffix("Backward0").lower()
        if (place := line_that_names(moment, operator)) is not None:
            return place
    match kind:
        case "batch":
            return moment.place_of("data") if bad.after == "data" else moment.place
        case "output":
            return moment.place_of("forward")
        case "loss":
            return line_that_binds_name(moment, bad.object) or moment.here
        case "grad":
            return moment.place_of("backward")
        case _:
            return moment.place
