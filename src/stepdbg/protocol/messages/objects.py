"""What is alive, by name, and in a few figures."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Message, Part, Question

Order = Literal["tree", "name", "norm", "grad", "ratio", "size"]
"""As the modules hold them; by name; else the largest first. But for the first, tensors only."""


class ListObjects(Question, frozen=True):
    """What is alive, by name: as it is all of it, else what a filter finds and a window shows. Answer: `Objects`."""

    filter: str = ""
    """As typed: `stepdbg.listing.filters`."""
    order: Order = "tree"
    base: Literal["auto", "open", "closed"] = "open"
    """Which modules are folded that are not in `toggled`; `auto` leaves it to the size of the model."""
    toggled: tuple[str, ...] = ()
    """Modules that are the other way round."""
    first: int = 0
    count: int | None = None
    """Rows of the window; None for all. Where there are few, all come along."""
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
    """Without `torch.`: `float32`."""
    device: str = ""
    elements: int = 0
    bytes: int = 0
    trainable: bool = False
    """`requires_grad`."""
    owner: str = ""
    """Which optimizer's group holds it: `optimizer[0]`; empty where none does."""
    also: tuple[str, ...] = ()
    """Further names of the same tensor (tied parameters)."""
    folded: bool = False
    """Of what holds others: whether they are not shown."""


class Objects(Message, frozen=True):
    """Answer to `ListObjects`."""

    registry: int
    rows: tuple[ObjectRow, ...]
    first: int = 0
    """Of these rows among all that were asked for."""
    total: int | None = None
    """How many those are; None: these."""
    place: int = -1
    """Where the row `around` is among them, or the module that it is folded into; -1 where neither is."""
    models: tuple[tuple[str, str], ...] = ()
    """All models, by name and class, whatever the window."""
    leading: str = ""
    """The first parameter of all."""
    parameters: int = 0
    """How many there are in all."""
    matches: int = 0
    """Tensors that a filter has found."""
    moves: bool = False
    """Whether the same question may be answered otherwise at the next stop, though nothing comes or goes."""
    open: bool = True
    """Whether modules are open that were not toggled."""


class Summarise(Question, frozen=True):
    """One line of figures for each of these objects (the visible rows). Answer: `Summaries`."""

    objects: tuple[str, ...]


class Summary(Part, frozen=True):
    """The figures of one row of the model tree."""

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
    """The one number that a tensor of a single element holds; None of any other."""
    grad_value: bool | int | float | None = None
    """The one number of the gradient, where that has a single element; else None."""
    marks: tuple[str, str, str] = ("", "", "")
    """What the phase done did to value, gradient and optimizer state."""
    unreadable: str = ""
    """Why there are no figures, in a few words (`cannot be read (Float8Tensor)`); empty where there are some."""


class Summaries(Message, frozen=True):
    """Answer to `Summarise`, in the order asked; objects that are gone are left out."""

    rows: tuple[Summary, ...]
