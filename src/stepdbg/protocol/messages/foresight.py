"""What the next step would do to a parameter, taken apart."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Remembered, Result


class Foresee(Remembered, frozen=True):
    """What the next step of its optimizer would do to a parameter, and whether the last one did as was foretold.

    All is computed on copies. Answer: `Foresight`, or `Refusal`.
    """

    object: str
    """The parameter, its gradient or an entry of its state."""
    element: tuple[int, ...] | None = None
    """The index of an element that is described by itself as well; None for none."""


Source = Literal["gradient", "momentum", "decay", "clipping", "total"]


class Move(Part, frozen=True):
    """What of a step has one source. Gradient, momentum and decay add up to the total."""

    source: Source
    """`momentum` is what earlier gradients do by way of a running average. `clipping` is no part of the sum: it is the
    total less what the step would do had this gradient not been clipped.
    """
    norm: float
    """The 2-norm of the move, over all elements."""
    share: float | None = None
    """The part of the total that the move makes, along the total: the shares of what adds up to the total add up to 1,
    and a share that works against the total is negative. None where nothing moves.
    """
    cosine: float | None = None
    """The cosine of the angle between the move and the total; None where one of them is 0."""
    here: float | None = None
    """The move of the element asked for; None where none was."""


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
    """The number of steps that the optimizer had made, the step compared among them."""
    deviation: float
    """The largest difference between what an element became and what was foretold."""
    largest: float
    """The largest move that was foretold."""
    as_foretold: bool
    """Whether all differences are rounding errors of the parameter's type."""
    compared: int
    """The number of elements that were compared."""
    remark: str = ""
    """Why there can be a difference."""


class Foresight(Result, frozen=True):
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
    """The 2-norm of the whole parameter, now."""
    total: Move | None = None
    """The whole move that the step would make; None where it cannot be foretold."""
    moves: tuple[Move, ...] = ()
    """What adds up to the total, and what clipping makes of it; empty where it is not known apart."""
    formula: str = ""
    """The formula of the step, in plain characters; empty where none is known."""
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
    """How the last step compares with what was foretold of it; None where nothing was."""
    reached: Literal["", "moved", "to come"] = ""
    """Inside a step of its optimizer: the step has moved the parameter, and the figures are of the step after it with
    the same gradient; or the step is still to come to the parameter, and the figures are what it will do. Empty
    everywhere else."""
    further: tuple[Foresight, ...] = ()
    """The foresights of the other optimizers that hold the parameter, each as if its step came next."""
