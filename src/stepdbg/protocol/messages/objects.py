"""What is alive, by name, and in a few figures."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Remembered, Result

Order = Literal["tree", "name", "norm", "grad", "ratio", "size"]
"""The order of rows: as modules hold them (`tree`); tensors only, by name or with the largest first."""


class ListObjects(Remembered, frozen=True):
    """What is alive, by name: as it is all of it, else what a filter finds and a window shows. Answer: `Objects`."""

    filter: str = ""
    """The filter as it was typed (`stepdbg.listing.filters`); empty for none."""
    order: Order = "tree"
    base: Literal["auto", "open", "closed"] = "open"
    """Which modules are folded that are not in `toggled`; `auto` leaves it to the size of the model."""
    toggled: tuple[str, ...] = ()
    """The modules that are open where others are folded, or folded where others are open."""
    first: int = 0
    count: int | None = None
    """The number of rows in the window; None for all. Where there are few rows, all are sent."""
    around: str = ""
    """A row that the window is moved to, if it lies elsewhere."""


Node = Literal["model", "module", "parameter", "buffer", "group", "variable"]


class ObjectRow(Part, frozen=True):
    """A row of the model tree, in depth-first order."""

    name: str
    """The full name, as the user would write it: `model.fc1.weight`. Unique among rows."""
    label: str
    """The last part of the name: `weight`."""
    node: Node
    """`variable` is a batch, an output or a loss; `group` a heading over those."""
    depth: int
    cls: str = ""
    """The class of a model or module; the kind (`batch`, `output`, `loss`) of a variable."""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    """The dtype without `torch.`: `float32`; empty for what is no tensor."""
    device: str = ""
    elements: int = 0
    bytes: int = 0
    trainable: bool = False
    """`requires_grad`."""
    owner: str = ""
    """The optimizer's group that holds the parameter: `optimizer[0]`; empty where none does."""
    also: tuple[str, ...] = ()
    """Further names of the same tensor (tied parameters)."""
    folded: bool = False
    """Whether the rows of what this object holds are not shown."""


class Objects(Result, frozen=True):
    """Answer to `ListObjects`."""

    registry: int
    rows: tuple[ObjectRow, ...]
    first: int = 0
    """The place of the first of these rows among all that were asked for."""
    total: int | None = None
    """The number of all rows that were asked for; None where `rows` are all."""
    place: int = -1
    """The place of the row `around`, or of the module that it is folded into; -1 where neither is among the rows."""
    models: tuple[tuple[str, str], ...] = ()
    """All models, by name and class, whatever the window."""
    leading: str = ""
    """The first parameter of all."""
    parameters: int = 0
    """The number of all parameters."""
    matches: int = 0
    """The number of tensors that the filter has found."""
    moves: bool = False
    """Whether the same question may be answered otherwise at the next stop, though nothing comes or goes."""
    open: bool = True
    """Whether modules are open that were not toggled."""


class Summarise(Remembered, frozen=True):
    """Figures for one line about each of these objects (the visible rows). Answer: `Summaries`."""

    objects: tuple[str, ...]


class Summary(Part, frozen=True):
    """The figures of one row of the model tree; of a folded module those of all its parameters together."""

    object: str
    norm: float | None = None
    """2-norm of the value."""
    grad_norm: float | None = None
    """2-norm of `.grad`; None where there is no gradient."""
    update_ratio: float | None = None
    """‖Δw‖ / ‖w‖ of the last step; None where it was not recorded."""
    finite: bool = True
    """False where value or gradient holds a NaN or an infinity."""
    value: bool | int | float | None = None
    """The number that a tensor of a single element holds; None for any other."""
    grad_value: bool | int | float | None = None
    """The number that a gradient of a single element holds; None for any other."""
    marks: tuple[str, str, str] = ("", "", "")
    """What the phase done did to value, gradient and optimizer state."""
    unreadable: str = ""
    """Why there are no figures, in a few words (`cannot be read (Float8Tensor)`); empty where there are some."""


class Summaries(Result, frozen=True):
    """Answer to `Summarise`, in the order asked; objects that are gone are left out."""

    rows: tuple[Summary, ...]
