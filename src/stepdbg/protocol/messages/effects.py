"""What a phase did to which object, and the names of a list that is too long to travel with each stop."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Remembered, Result

Kind = Literal["parameter", "grad", "buffer", "state", "hyperparameter", "loss", "output", "batch", "rng", "variable"]
"""A `variable` is a tensor that only a variable of the user's leads to; no effect is told of it."""
What = Literal["changed", "touched", "created", "freed"]
Basis = Literal["fingerprint", "counters"]
Holds = Literal["", "nan", "inf"]
"""What a tensor holds that is not finite: a NaN among its elements; an infinity, and no NaN; neither."""


class Effect(Part, frozen=True, gc=False):
    """What one phase did to one object. (Nothing that could be in a cycle: no collector need look at it.)"""

    object: str
    kind: Kind
    what: What
    holds: Holds = ""
    """The kind of number that is not finite in what was written; empty where all are finite."""
    after: bool = False
    """True where the effect is not the doing of the phase's call, but came between its return and the next boundary."""
    before: bool = False
    """True where it is not either, but came between the boundary before and the beginning of the call: between two
    forwards, or after a `step` that was foretold and did not come."""


class EffectCount(Part, frozen=True):
    """How many objects of one kind met one fate."""

    kind: Kind
    what: What
    count: int
    nan: int = 0
    """The number of these objects that hold a NaN."""
    infinite: int = 0
    """The number of these objects that hold an infinity and no NaN."""
    after: bool = False
    """Whether the effects came after the return of the phase's call, as in `Effect`."""
    before: bool = False
    """Whether they came before it began."""


class Effects(Part, frozen=True):
    """What one phase did, as counts and, where asked for, by name."""

    basis: Basis
    """`fingerprint` is proof; `counters` is a hint from version counters, over all since the last stop."""
    counts: tuple[EffectCount, ...] = ()
    named: tuple[Effect, ...] = ()
    """Some of the effects by name, at most `EFFECT_NAMES`, parameters first: of each kind all, or the first ones and
    the
    few others that met another fate. The rest is asked for by `ListEffects`."""
    left_out: int = 0
    """How many effects are counted and not named."""
    since: int | None = None
    """The update at which training stopped before, where the effects are of all phases since then (`counters`)."""
    why: str = ""
    """Why the phase has changed less than it is for, in a few words; empty where it has not, or nobody knows."""
    beyond: str = ""
    """The optimizer that has just stepped, where it holds none of the parameters that changed after its call."""
    without_gradients: bool = False
    """Whether the parameters that a step has written have no gradient: it was given the derivatives in another way."""


CANNOT_BE_READ = "what they hold cannot be read"
"""`Effects.why` where a step may have changed parameters for all that anybody can tell."""
NOT_KNOWN_BEFORE = "they were not known before it"
"""`Effects.why` where a step may have changed parameters, since none of its optimizer's was seen before."""
NOT_LISTED = "no model, optimizer or variable in sight holds what it wrote to"
"""`Effects.why` where backward has written gradients of nothing that is listed, or a step by hand has moved such."""
EFFECT_NAMES = 500
"""The number of effects named in one stop at most, whatever the size of the model; the rest is counted."""


class ListEffects(Remembered, frozen=True):
    """The names behind a count of effects, those that are in view. Answer: `EffectNames`."""

    boundary: int
    """The index of the boundary that the effects were told at: this one, or one of those not long before."""
    kind: Kind
    first: int = 0
    """The place of the window's first effect among all effects on objects of that kind."""
    count: int = 100
    after: bool = False
    """Whether the effects asked for are those after the call's return, instead of those that are its doing."""
    before: bool = False
    """Whether they are those before it began."""


class EffectNames(Result, frozen=True):
    """Answer to `ListEffects`."""

    boundary: int
    kind: Kind
    first: int
    total: int
    """The number of all effects on objects of that kind."""
    effects: tuple[Effect, ...]
    after: bool = False
    """`ListEffects.after`, as it was asked."""
    before: bool = False
    """`ListEffects.before`, likewise."""
