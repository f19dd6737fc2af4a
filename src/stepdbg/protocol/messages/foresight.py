"""What the next step would do to a parameter, taken apart."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Message, Part, Question


class Foresee(Question, frozen=True):
    """What the next step of its optimizer would do to a parameter, and whether the last one did as was foretold.

    All is computed on copies. Answer: `Foresight`, or `Refusal`.
    """

    object: str
    """The parameter, its gradient or an entry of its state."""
    element: tuple[int, ...] | None = None
    """One element that is to be told of by itself."""


Source = Literal["gradient", "momentum", "decay", "clipping", "total"]


class Move(Part, frozen=True):
    """What of a step has one source. Gradient, momentum and decay add up to the total."""

    source: Source
    """`momentum` is what earlier gradients do by way of a running average. `clipping` is no part of the sum: it is the
    total less what the step would do had this gradient not been clipped.
    """
    norm: float
    """2-norm."""
    share: float | None = None
    """How much of the total it makes, along the total; the shares of what adds up to it add up to 1, and one that works
    against it is negative. None where nothing moves.
    """
    cosine: float | None = None
    """Of the angle between it and the total."""
    here: float | None = None
    """Of the one element."""


class Clipping(Part, frozen=True):
    """A call that clipped gradients in this update."""

    function: str
    limit: float
    """The largest norm, or the largest absolute value."""
    factor: float | None = None
    """What was left of this gradient's norm, at most 1; None where that is not known."""
    total: float | None = None
    """The norm over all gradients, before."""
    without: float | None = None
    """2-norm of the move that this step would make had the gradient not been clipped."""


class Kept(Part, frozen=True):
    """Whether a step did what was foretold."""

    steps: int
    """The count of the optimizer's steps, that one among them."""
    deviation: float
    """The largest difference between what an element became and what was foretold."""
    largest: float
    """The largest move that was foretold."""
    as_foretold: bool
    """Whether all differences are rounding errors of the parameter's type."""
    compared: int
    """Elements that were held against each other."""
    remark: str = ""
    """Why there can be a difference."""


class Foresight(Message, frozen=True):
    """Answer to `Foresee`."""

    object: str
    optimizer: str
    cls: str
    group: int
    steps: int
    """How often the optimizer has stepped since it was first seen."""
    element: tuple[int, ...] | None = None
    value: float | None = None
    """The value of that element, now; None where no element was asked for."""
    norm: float | None = None
    """Of the whole parameter, now."""
    total: Move | None = None
    """None where nothing can be foretold."""
    moves: tuple[Move, ...] = ()
    """What adds up to the total, and what clipping makes of it; empty where it is not known apart."""
    formula: str = ""
    """Of the step, in plain characters."""
    why_not: str = ""
    """Why nothing is foretold."""
    fresh: bool = False
    """The optimizer keeps nothing of this parameter yet: its running averages begin with this step."""
    scale: float | None = None
    """What a GradScaler has multiplied the gradient by; it is taken out of all the figures."""
    clipping: Clipping | None = None
    remarks: tuple[str, ...] = ()
    """What else a reader must know."""
    kept: Kept | None = None
    """Of the last step, where it was foretold."""
    reached: Literal["", "moved", "to come"] = ""
    """Inside a step of its optimizer: that step has moved it, and the figures are of the one after it with the same
    gradient; or it is still to come to it, and they are what it will do. Empty everywhere else."""
    further: tuple[Foresight, ...] = ()
    """Where several optimizers hold the parameter: of the others, each as if it came next."""
