"""Whose a tensor is: all names that lead to it, and what hangs on it."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Remembered, Result
from stepdbg.protocol.messages.effects import Kind


class Identify(Remembered, frozen=True):
    """Who holds this tensor, and what hangs on it? For a gradient or a state entry the parameter that it belongs to is
    looked at. Answer: `Identity`.
    """

    object: str


class Owner(Part, frozen=True):
    """An expression that leads to a tensor, and what kind of owner it goes through."""

    kind: Literal["model", "optimizer", "variable"]
    expression: str
    """The expression as the user could write it: `model.fc.weight`, `optimizer.param_groups[0]["params"][2]`, `w`."""
    cls: str = ""
    """The class of the module that the attribute is of, or of the optimizer; the function that a variable is in."""


class Hanging(Part, frozen=True):
    """What hangs on a tensor and not on the model: its gradient, and what optimizers keep under it."""

    kind: Literal["grad", "state"]
    object: str
    expression: str
    """The expression as the user could write it: `model.fc.weight.grad`,
    `optimizer.state[model.fc.weight]["exp_avg"]`."""
    text: str
    """The value of a number, the shape of a tensor."""
    norm: float | None = None


class Identity(Result, frozen=True):
    """Answer to `Identify`: one tensor, all that holds it, and all that hangs on it."""

    object: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    device: str
    id: int
    """The tensor's `id` in Python: two owners hold one tensor where this is the same."""
    pointer: int | None = None
    """The address of the tensor's numbers (`data_ptr`); None where it has no memory of its own."""
    requires_grad: bool = False
    grad_fn: str = ""
    """The node of the graph that made the tensor; empty for a leaf."""
    owners: tuple[Owner, ...] = ()
    """The owners, at most `OWNERS`: models first, then optimizers, then variables."""
    left_out: int = 0
    """The number of owners beyond those."""
    hangs: tuple[Hanging, ...] = ()
    shares: tuple[str, ...] = ()
    """Names of other tensors over the same memory (views of it)."""
    models: tuple[str, ...] = ()
    """All models that are known, whether they hold the tensor or not."""
    optimizers: tuple[str, ...] = ()
    """All optimizers that are known, whether they hold the tensor or not."""
    steps: int = 0
    """The number of steps of the optimizers that hold the tensor."""
    stateful: bool = False
    """Whether one of these optimizers keeps state of any tensor."""
    marks: tuple[str, str, str] = ("", "", "")
    """What the phase done did to the tensor, to its gradient and to its optimizer state."""


OWNERS = 64
"""The number of owners of one tensor that are sent at most."""
