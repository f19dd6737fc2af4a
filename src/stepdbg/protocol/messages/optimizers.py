"""What the optimizers hold."""

from __future__ import annotations

from stepdbg.protocol.messages.base import Part, Remembered, Result


class ListOptimizers(Remembered, frozen=True):
    """What all optimizers hold. Answer: `Optimizers`."""


class Hyperparameter(Part, frozen=True):
    """A hyperparameter: an entry of a parameter group."""

    name: str
    value: str
    """The value as Python writes it."""
    object: str
    """The name to edit the value by: `optimizer.param_groups[0]['lr']`."""
    editable: bool = True
    elements: tuple[str, ...] = ()
    """The elements of a tuple, each of which can be edited by its index; empty for any other value."""


class ParameterGroup(Part, frozen=True):
    """A parameter group: an entry of `optimizer.param_groups`."""

    index: int
    hyperparameters: tuple[Hyperparameter, ...]
    tensors: int
    elements: int


class StateEntry(Part, frozen=True):
    """An entry of an optimizer's state of a parameter."""

    key: str
    object: str
    text: str
    """The value of a number (`12`), the shape of a tensor (`32×16`)."""
    norm: float | None = None


class StateRow(Part, frozen=True):
    """What an optimizer keeps of one parameter."""

    parameter: str
    group: int
    has_grad: bool
    state: tuple[StateEntry, ...] = ()


class OptimizerInfo(Part, frozen=True):
    """An optimizer: its groups, and what it keeps of each parameter."""

    name: str
    cls: str
    steps: int
    """The number of the optimizer's steps since it was first seen."""
    groups: tuple[ParameterGroup, ...]
    state_table: tuple[StateRow, ...]
    left_out: int = 0
    """The number of rows of the state table beyond the first 2,000."""


class Optimizers(Result, frozen=True):
    """Answer to `ListOptimizers`."""

    optimizers: tuple[OptimizerInfo, ...]
    by_hand: int = 0
    """The number of times that the script has moved parameters itself, where there is no optimizer."""
