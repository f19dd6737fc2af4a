"""Whose a tensor is: all names that lead to it, and what hangs on it."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Message, Part, Question
from stepdbg.protocol.messages.effects import Kind


class Identify(Question, frozen=True):
    """Who holds this tensor, and what hangs on it? Of a gradient or a state entry: of the parameter that it belongs
    to. Answer: `Identity`.
    """

    object: str


class Owner(Part, frozen=True):
    """One way that leads to a tensor."""

    kind: Literal["model", "optimizer", "variable"]
    expression: str
    """As the user could write it: `model.fc.weight`, `optimizer.param_groups[0]["params"][2]`, `w`."""
    cls: str = ""
    """The class of the module that the attribute is of, or of the optimizer; the function that a variable is in."""


class Hanging(Part, frozen=True):
    """What hangs on a tensor and not on the model: its gradient, and what optimizers keep under it."""

    kind: Literal["grad", "state"]
    object: str
    expression: str
    """As the user could write it: `model.fc.weight.grad`, `optimizer.state[model.fc.weight]["exp_avg"]`."""
    text: str
    """The value of a number, the shape of a tensor."""
    norm: float | None = None


class Identity(Message, frozen=True):
    """Answer to `Identify`: one tensor, all that holds it, and all that hangs on it."""

    object: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    device: str
    id: int
    """What Python's `id` says: two owners hold one tensor where this is the same."""
    pointer: int | None = None
    """Where its numbers begin in memory (`data_ptr`); None where it has no memory of its own."""
    requires_grad: bool = False
    grad_fn: str = ""
    """The node of the graph that made it; empty for a leaf."""
    owners: tuple[Owner, ...] = ()
    """At most `OWNERS`: models first, then optimizers, then variables."""
    left_out: int = 0
    """Owners beyond those."""
    hangs: tuple[Hanging, ...] = ()
    shares: tuple[str, ...] = ()
    """Names of other tensors over the same memory (views of it)."""
    models: tuple[str, ...] = ()
    """All models that are known, be it theirs or not."""
    optimizers: tuple[str, ...] = ()
    """All optimizers that are known, be it theirs or not."""
    steps: int = 0
    """How often the optimizers that hold it have stepped."""
    stateful: bool = False
    """Whether one of them keeps anything under any tensor."""
    marks: tuple[str, str, str] = ("", "", "")
    """What the phase done did to it, to its gradient and to its optimizer state."""


OWNERS = 64
"""So many owners of one tensor are told."""
