"""One tensor looked at: figures, windows, what a phase changed; elements beside each other, found, and saved."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.base import Part, Question, Remembered, Result
from stepdbg.protocol.messages.effects import Kind

Side = Literal["now", "before", "change"]
"""What is looked at of a tensor that a phase has changed: its values `now`, those from `before` that phase, or the
first minus the second (`change`)."""


class LookAt(Remembered, frozen=True):
    """The figures of a tensor and the window of its numbers that is on the screen. Answer: `TensorView`.

    The tensor is shown as a table: all but the last dimension run down, the last runs across.
    """

    object: str
    row: int = 0
    rows: int = 0
    column: int = 0
    columns: int = 0
    statistics: bool = True
    bins: int = 0
    """The number of bins of the histogram; 0 for no histogram."""
    side: Side = "now"
    where: str = ""
    """A slice in Python's syntax, which rows and columns are of; empty for the whole."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return (self.object,)


class Statistics(Part, frozen=True):
    """Figures over all elements; NaN are left out of min, max, mean, std and norm and counted. None where undefined."""

    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    """The standard deviation with Bessel's correction, as `torch.std` has it."""
    norm: float | None = None
    """The 2-norm."""
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    distinct: int | None = None
    """The number of distinct values; None where they are many, or the elements too many to count them."""
    sampled: int = 0
    """The number of elements looked at, of which the counts are, where the tensor has too many; 0 where all were."""


class Histogram(Part, frozen=True):
    """Equal bins over the finite values."""

    low: float
    high: float
    counts: tuple[int, ...]
    sampled: bool = False
    """True where only every n-th element was counted."""


class Window(Part, frozen=True):
    """Numbers in row-major order; `total_rows` × `total_columns` is the whole table."""

    row: int
    column: int
    rows: int
    columns: int
    total_rows: int
    total_columns: int
    format: Literal["d", "q", "?"]
    """How to read `values`, as in the standard library's `struct`: float64, int64 or bool, little-endian."""
    values: bytes


class Change(Part, frozen=True):
    """What the last change of a tensor comes to."""

    phase: str = ""
    """The phase that changed the tensor."""
    whose: Literal["call", "script", "both"] = "call"
    """Whether the phase's call changed the tensor, or what the script did between its return and the next boundary."""
    update: int = 0
    norm: float | None = None
    """2-norm of new minus old."""
    largest: float | None = None
    """The largest distance of an element from what it was."""
    changed: int = 0
    """The number of elements that are others than before, among `elements`."""
    elements: int = 0
    ratio: float | None = None
    """`norm` divided by the 2-norm from before."""
    problem: str = ""
    """Why there is no copy from before; all else is empty then."""


class TensorPart(Part, frozen=True):
    """What hangs together with a tensor: its value, its gradient, the entries of its optimizer state."""

    label: str
    """`value`, `grad`, or the key of a state entry: `exp_avg`."""
    object: str
    statistics: Statistics | None = None
    shape: tuple[int, ...] = ()
    change: Change | None = None
    """The last change; None where no phase was seen to change the part."""


class TensorView(Result, frozen=True):
    """Answer to `LookAt`."""

    object: str
    kind: Kind
    shape: tuple[int, ...]
    dtype: str
    device: str
    bytes: int
    requires_grad: bool
    version: int
    """The tensor's version counter, as autograd counts in-place writes."""
    grad_fn: str = ""
    """The node of the graph that made it; empty for a leaf."""
    parts: tuple[TensorPart, ...] = ()
    """The value first, then the gradient, then the state; each with statistics where those were asked for."""
    statistics: Statistics | None = None
    histogram: Histogram | None = None
    window: Window | None = None
    note: str = ""
    """A note that a reader needs: `sparse: shown dense`, `1 of 512 elements sampled`."""
    side: Side = "now"
    """What statistics, histogram and window are of."""
    where: str = ""
    """The slice that `shape`, statistics, histogram and window are of; the parts' own statistics are of the whole."""
    whole: tuple[int, ...] = ()
    """The shape of the whole, where a slice is looked at."""


class LookBeside(Remembered, frozen=True):
    """The same elements of several tensors of one shape: some rows of one column. Answer: `Beside`."""

    parts: tuple[tuple[str, Side], ...]
    row: int
    rows: int
    column: int
    where: str = ""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return tuple(name for name, _ in self.parts)


class Beside(Result, frozen=True):
    """Answer to `LookBeside`: a window of one column for each; None where the tensor is gone or has another shape."""

    parts: tuple[tuple[str, Side], ...]
    windows: tuple[Window | None, ...]


class Condition(Part, frozen=True):
    """What is searched for in a tensor, and marked where it is in view."""

    low: float | None = None
    """The least number that matches; None for no lower end."""
    high: float | None = None
    outside: bool = False
    """Whether numbers outside of `low` to `high` match (and no NaN)."""
    odd: bool = False
    """Whether NaN and infinities match, and nothing else."""


class Find(Question, frozen=True):
    """The next element for which a condition holds, in row-major order. Answer: `Found`."""

    object: str
    condition: Condition
    start: int = 0
    """The number of the first element that is looked at."""
    backwards: bool = False
    side: Side = "now"
    where: str = ""
    """The slice that is searched, and that numbers are of."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return (self.object,)


class Found(Result, frozen=True):
    """Answer to `Find`."""

    number: int | None = None
    """The number of the element in row-major order; None where none was found."""
    further: int | None = None
    """The number of the element to search on from, where not all was looked at yet; else None."""


SaveFormat = Literal["safetensors", "npy", "csv", "txt"]


class Save(Question, frozen=True):
    """Write tensors to a file, from the training thread. Answer: `Saved`, or `Refusal`. No file is overwritten."""

    path: str
    """The absolute path of the file."""
    format: SaveFormat
    object: str = ""
    """The tensor to save; empty for the whole state: parameters, buffers, gradients, optimizer state."""

    def looks_at(self) -> tuple[str, ...]:
        """The names of what is looked at."""
        return (self.object,)


class Saved(Result, frozen=True):
    """Answer to `Save`."""

    path: str
    tensors: int
    bytes: int
    """The size of the file, in bytes."""
    left_out: tuple[str, ...] = ()
    """Names of what the format cannot hold, each with the reason."""
