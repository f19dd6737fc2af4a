"""Every message that crosses a process border, as frozen, typed, tagged structs.

Four directions, a union each: `FromRank` and `ToRank` between a training process and the hub, `FromClient` and
`ToClient` between a screen (or a headless command) and the hub. A question (`Ask`) travels from a client through the
hub to a rank, which answers in its training thread; the hub matches `Answer` to `Ask` by its number.

Field names are the words of the design: a *boundary* is the moment between the phase `done` and the phase `next`.
"""

from __future__ import annotations

from typing import Literal

import msgspec

PROTOCOL_VERSION = 3
"""Moves when a message changes its meaning, or comes that the other side would not know. Both sides say
theirs in the hello and refuse another one."""

State = Literal["starting", "running", "paused", "replaying", "exited", "lost"]
Kind = Literal["parameter", "grad", "buffer", "state", "hyperparameter", "loss", "output", "batch", "rng", "variable"]
"""A `variable` is a tensor that only a variable of the user's leads to; no effect is told of it."""
What = Literal["changed", "touched", "created", "freed"]
Reason = Literal["step", "breakpoint", "pause", "exception", "exit"]
TraceReason = Literal["exit", "exception", "breakpoint", "updates"]
Basis = Literal["fingerprint", "counters"]
Go = Literal["next", "into", "operator", "finish", "continue"]
"""How far: to the next boundary; to the next inner stop of the phase that comes or runs, by its larger units (a module,
a gradient, a parameter) or by operators; to where the next update opens; until something stops it."""
Severity = Literal["information", "warning", "error"]


class Message(msgspec.Struct, frozen=True, tag=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of everything that travels by itself."""


class Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """Base of what travels inside a message."""


# ---------------------------------------------------------------- a boundary, and what is known at a stop


class Boundary(Part, frozen=True):
    """The moment between two phases, the only place where training stops."""

    index: int
    """Counts from 1 in each training process."""
    update: int
    """The update that the phase done was part of, from 1 (the one about to open, where nothing is done yet)."""
    done: str | None = None
    """The phase just done; None at the first boundary and at an inner one."""
    next: str | None = None
    """The phase that comes next; None where the script has ended."""
    predicted: bool = False
    """True where `next` is a guess from the previous update."""
    opens: int | None = None
    """The number of the update that opens here with `next`, or None."""
    inside: tuple[str, ...] = ()
    """The enclosing phases, outermost first (a closure's forward lies inside `step`)."""
    rank: int = 0
    epoch: int | None = None
    """How often the loader that feeds training has been iterated over; None without a loader."""
    file: str | None = None
    line: int | None = None
    """The user's own innermost frame."""
    ms: float | None = None
    """Milliseconds that the call of the phase done took."""
    loss: float | None = None
    """The newest loss known; None before there is one."""
    skipped: bool = False
    """True where the phase done was a step that did nothing (a GradScaler that met infinite gradients)."""


class Effect(Part, frozen=True, gc=False):
    """What one phase did to one object. (Nothing that could be in a cycle: no collector need look at it.)"""

    object: str
    kind: Kind
    what: What


class EffectCount(Part, frozen=True):
    """How many objects of one kind met one fate."""

    kind: Kind
    what: What
    count: int


class Effects(Part, frozen=True):
    """What one phase did, as counts and, where asked for, by name."""

    basis: Basis
    """`fingerprint` is proof; `counters` is a hint from version counters, over all since the last stop."""
    counts: tuple[EffectCount, ...] = ()
    named: tuple[Effect, ...] = ()
    """At most `EFFECT_NAMES` of them, parameters first: of each kind all, or the first ones and what few others met
    another fate. The rest is asked for by `ListEffects`."""
    left_out: int = 0
    """How many effects are counted and not named."""
    since: int | None = None
    """The update at which training stood before, where these are of all phases since then (`counters`)."""


EFFECT_NAMES = 500
"""So many effects are named in one stop, whatever the size of the model; the rest is counted."""


class PhaseRecord(Part, frozen=True):
    """One phase of one update as it went: what the rail draws a box of."""

    name: str
    ms: float | None = None
    inside: tuple[str, ...] = ()
    effects: Effects | None = None
    """Counts only (no names); None where nobody looked."""
    skipped: bool = False
    of: str = ""
    """Whose it was, where there are several models or optimizers: `optimizer_d`, `generator`, the loss's name."""


class Frame(Part, frozen=True):
    """One frame of the training thread's stack."""

    file: str
    line: int
    function: str
    library: bool = False
    """True for frames of installed packages and of the standard library."""


class Census(Part, frozen=True):
    """How much is alive: the right end of the header."""

    device: str
    """`cpu`, `cuda:0`, or several joined by a comma."""
    parameters: int
    """Number of parameter tensors."""
    elements: int
    bytes: int


class Failure(Part, frozen=True):
    """An uncaught exception of the script."""

    type: str
    message: str
    traceback: str
    """As Python prints it, with nothing of ours in it."""


class InnerTensor(Part, frozen=True):
    """A tensor that an inner stop is about."""

    label: str
    """What it is there: `input`, `output[0]`, `gradient`, `before`."""
    object: str
    """What `LookAt` knows it by."""
    shape: tuple[int, ...]
    dtype: str
    """Without `torch.`: `float32`."""
    device: str = ""
    statistics: Statistics | None = None
    """Of what has just been computed or written; None for what has gone in."""


Unit = Literal["module", "operator", "gradient", "node", "parameter", "line"]
"""What an inner stop comes after: a module's call, an operator's; in a backward the gradient of a parameter, or a node
of the graph; in a step a parameter's new value; a `line` is a `stepdbg.breakpoint()`."""


class Inner(Part, frozen=True):
    """Where in a phase training waits: what has just been done, one unit of the phase."""

    unit: Unit
    name: str = ""
    """`model.fc1`, `aten.addmm`, `model.fc1.weight`, `ReluBackward0`."""
    cls: str = ""
    """The class of a module or optimizer."""
    within: str = ""
    """The module whose call an operator is part of, or that made what a node of the graph leads back from."""
    tensors: tuple[InnerTensor, ...] = ()
    """What came out, or was written, comes first."""
    left_out: int = 0
    """Tensors beyond those."""
    nth: int = 1
    """The so-manieth time that this unit came up in this phase."""
    place: int = 0
    """The so-manieth unit of the phase."""
    total: int = 0
    """Of so many; 0 where that is not known."""
    how: Literal["", "written", "added", "together", "gone"] = ""
    """A gradient is the first one or added to one that was there; a parameter was written with all others by one call
    of a foreach or fused optimizer; what was written is gone again (a hook of the user's has freed the gradient)."""
    change: float | None = None
    """2-norm of what a step has changed of a parameter; None where the parameter was too large to keep."""
    phase: str = ""
    """The phase that it lies in."""


class Stop(Part, frozen=True):
    """A boundary at which training waits, and all that the screen draws without asking further."""

    boundary: Boundary
    reason: Reason
    detail: str = ""
    """In words: which breakpoint, which exception."""
    effects: Effects | None = None
    """Of the phase done; None where nothing was recorded before it."""
    phases: tuple[PhaseRecord, ...] = ()
    """The phases done so far in the update of `boundary`, in order."""
    previous: tuple[PhaseRecord, ...] = ()
    """Those of the last complete update: the learned order, and what is foretold."""
    frames: tuple[Frame, ...] = ()
    """Innermost first."""
    line_done: tuple[str, int] | None = None
    """File and line where the phase done was called."""
    line_next: tuple[str, int] | None = None
    """File and line that runs next, where known."""
    census: Census | None = None
    registry: int = 0
    """Moves when the set of objects or their names change: time to ask for `Objects` again."""
    pending_backward: bool = False
    """True between a training forward and its backward: autograd refuses edits of what it has saved."""
    loss_name: str | None = None
    """What the user's frame calls the newest loss."""
    failure: Failure | None = None
    made_in: dict[str, int] = {}
    """The update that the newest `batch`, `output` and `loss` are of: after `zero_grad` still the one before."""
    next_of: str = ""
    """Whose phase comes next, as in `PhaseRecord.of`."""
    inner: Inner | None = None
    """Where in the phase training waits, at a stop that lies within one; `boundary` then names it in `inside`."""


# ---------------------------------------------------------------- questions to a rank, and their answers


Order = Literal["tree", "name", "norm", "grad", "ratio", "size"]
"""As the modules hold them; by name; else the largest first. But for the first, tensors only."""


class ListObjects(Message, frozen=True):
    """What is alive, by name: as it is all of it, else what a filter finds and a window shows. Answer: `Objects`."""

    filter: str = ""
    """As typed: `stepdbg.protocol.filters`."""
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


class Summarise(Message, frozen=True):
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
    """The same of its `.grad`."""
    marks: tuple[str, str, str] = ("", "", "")
    """What the phase done did to value, gradient and optimizer state."""


class Summaries(Message, frozen=True):
    """Answer to `Summarise`, in the order asked; objects that are gone are left out."""

    rows: tuple[Summary, ...]


Side = Literal["now", "before", "change"]
"""Of a tensor that a phase has changed: what it is, what it was before that phase, or the first minus the second."""


class LookAt(Message, frozen=True):
    """One tensor: its figures and the window of its numbers that is on the screen. Answer: `TensorView`.

    The tensor is shown as a table: all but the last dimension run down, the last runs across.
    """

    object: str
    row: int = 0
    rows: int = 0
    column: int = 0
    columns: int = 0
    statistics: bool = True
    bins: int = 0
    """Bins of the histogram; 0 for none."""
    side: Side = "now"
    cut: str = ""
    """A slice in Python's syntax: rows and columns are of that. Empty: of the whole."""


class Statistics(Part, frozen=True):
    """Over all elements; NaN are left out of min, max, mean, std and norm and counted. None where undefined."""

    min: float | None = None
    max: float | None = None
    mean: float | None = None
    std: float | None = None
    """With Bessel's correction, as `torch.std`."""
    norm: float | None = None
    """2-norm."""
    zeros: int = 0
    nan: int = 0
    inf: int = 0
    distinct: int | None = None
    """How many distinct values there are; None where they are many, or too many elements to count them."""
    sampled: int = 0
    """Where there are too many elements: so many were looked at, and the counts are of those. 0: all were."""


class Histogram(Part, frozen=True):
    """Equal bins over the finite values."""

    low: float
    high: float
    counts: tuple[int, ...]
    sampled: bool = False
    """True where only every so-manieth element was counted."""


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
    """Which phase did it."""
    update: int = 0
    norm: float | None = None
    """2-norm of new minus old."""
    largest: float | None = None
    """The largest distance of an element from what it was."""
    changed: int = 0
    """Elements that are others than before, among `elements`."""
    elements: int = 0
    ratio: float | None = None
    """`norm` by the norm from before."""
    problem: str = ""
    """Why what was before is not kept; nothing else is told then."""


class TensorPart(Part, frozen=True):
    """What hangs together with a tensor: its value, its gradient, the entries of its optimizer state."""

    label: str
    """`value`, `grad`, or the key of a state entry: `exp_avg`."""
    object: str
    statistics: Statistics | None = None
    shape: tuple[int, ...] = ()
    change: Change | None = None
    """None where no phase was seen to change it."""


class TensorView(Message, frozen=True):
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
    """What a reader must know: `sparse: shown dense`, `1 of 512 elements sampled`."""
    side: Side = "now"
    """What statistics, histogram and window are of."""
    cut: str = ""
    """The slice that `shape`, statistics, histogram and window are of; the parts' own statistics are of the whole."""
    whole: tuple[int, ...] = ()
    """The shape of the whole, where a slice is looked at."""


Pool = Literal["extreme", "mean", "element"]
"""What a pixel that stands for several elements shows: the one farthest from 0, or their mean. Or it is one element,
and a part of the slice is shown, around the cursor."""


class LookAtMaps(Message, frozen=True):
    """Heat maps of one slice of several tensors of the same shape. Answer: `HeatMaps`.

    A slice is what is left when all but the last two dimensions are fixed; a vector is a slice of one row. It is
    pooled in the rank to at most `rows` × `columns` pixels, so that no more is sent than is seen.
    """

    objects: tuple[str, ...]
    slice: tuple[int, ...] = ()
    """The indices of the dimensions that are fixed."""
    tiles: int = 1
    """So many slices are sent, unpooled: those of the page that the slice is on, if pages are of that length."""
    rows: int = 16
    columns: int = 64
    row: int = 0
    """Of the element under the cursor, in the slice."""
    column: int = 0
    pool: Pool = "extreme"
    side: Side = "now"
    cut: str = ""


class LookBeside(Message, frozen=True):
    """The same elements of several tensors of one shape: so many rows of one column. Answer: `Beside`."""

    parts: tuple[tuple[str, Side], ...]
    row: int
    rows: int
    column: int
    cut: str = ""


class Beside(Message, frozen=True):
    """Answer to `LookBeside`: a window of one column for each; None where the tensor is gone or has another shape."""

    parts: tuple[tuple[str, Side], ...]
    windows: tuple[Window | None, ...]


class Condition(Part, frozen=True):
    """What is searched for in a tensor, and marked where it is in view."""

    low: float | None = None
    """From there on, that number itself among it; None: from wherever."""
    high: float | None = None
    outside: bool = False
    """Whether it is what does not lie between those ends (and is no NaN)."""
    odd: bool = False
    """NaN and infinities, nothing else."""


class Find(Message, frozen=True):
    """The next element for which a condition holds, in row-major order. Answer: `Found`."""

    object: str
    condition: Condition
    start: int = 0
    """The number of the first element that is looked at."""
    backwards: bool = False
    side: Side = "now"
    cut: str = ""
    """The slice that is searched, and that numbers are of."""


class Found(Message, frozen=True):
    """Answer to `Find`."""

    number: int | None = None
    """Of the element; None where none was found."""
    further: int | None = None
    """Where to go on, if not all was looked at yet."""


class HeatMap(Part, frozen=True):
    """One tensor's slice as levels, row by row; of several slices one after the other."""

    object: str
    rows: int
    """Pixels of a slice."""
    columns: int
    levels: bytes
    """0 to 15 from `low` to `high`; 16 is NaN, 17 infinity, 18 minus infinity."""
    low: float
    high: float
    """The scale's ends, rounded outwards so that it seldom moves: of the whole tensor, or of the means in the slice."""
    diverging: bool = False
    """True where the scale lies around 0: levels 7 and 8 meet there."""
    here: float | None = None
    """The element under the cursor."""
    sampled: bool = False
    """True where only every so-manieth element of a pixel's block was looked at."""


class HeatMaps(Message, frozen=True):
    """Answer to `LookAtMaps`; what is gone, has no numbers or another shape is left out."""

    slice: tuple[int, ...]
    total_rows: int
    """Of the slice, in elements."""
    total_columns: int
    block_rows: int
    """Elements that a pixel stands for, downwards."""
    block_columns: int
    maps: tuple[HeatMap, ...] = ()
    first: int = 0
    """The number of the first slice in row-major order, where several are sent."""
    tiles: int = 1
    """How many are."""
    side: Side = "now"
    top: int = 0
    """The first row of the slice that is shown."""
    left: int = 0


class LookAtPictures(Message, frozen=True):
    """Images of a batch, made smaller where they have to be. Answer: `Pictures`.

    The tensor is read as images of `channels` × `height` × `width`, whatever its own dimensions are.
    """

    object: str
    channels: int
    height: int
    width: int
    first: int
    count: int
    rows: int
    """Pixels that each picture is averaged down to; it is never made larger."""
    columns: int


class Pictures(Message, frozen=True):
    """Answer to `LookAtPictures`."""

    object: str
    first: int
    count: int
    channels: int
    """1 (grey) or 3 (red, green, blue)."""
    rows: int
    """Pixels of each picture."""
    columns: int
    levels: bytes
    """0 to 15 for each pixel of each channel of each picture, in that order; 16 where it is not finite."""
    low: float
    high: float
    """What levels 0 and 15 stand for."""
    labels: tuple[str, ...] = ()
    """One for each picture; empty where the batch holds none."""
    labels_of: str = ""
    """The tensor that they are from: `y`."""


SaveFormat = Literal["safetensors", "npy", "csv", "txt"]


class Save(Message, frozen=True):
    """Write tensors to a file, from the training thread. Answer: `Saved`, or `Refusal`. No file is overwritten."""

    path: str
    """Absolute."""
    format: SaveFormat
    object: str = ""
    """One tensor; empty for the whole state: parameters, buffers, gradients, optimizer state."""


class Saved(Message, frozen=True):
    """Answer to `Save`."""

    path: str
    tensors: int
    bytes: int
    """Of the file."""
    left_out: tuple[str, ...] = ()
    """Names of what the format cannot hold, each with the reason."""


class ListEffects(Message, frozen=True):
    """The names behind a count of effects, those that are in view. Answer: `EffectNames`."""

    boundary: int
    """The index of the boundary that the effects were told at: this one, or one of those not long before."""
    kind: Kind
    first: int = 0
    """Of the window, among all effects on objects of that kind."""
    count: int = 100


class EffectNames(Message, frozen=True):
    """Answer to `ListEffects`."""

    boundary: int
    kind: Kind
    first: int
    total: int
    """Effects on objects of that kind in all."""
    effects: tuple[Effect, ...]


class ListOptimizers(Message, frozen=True):
    """Answer: `Optimizers`."""


class Hyperparameter(Part, frozen=True):
    """One entry of a parameter group."""

    name: str
    value: str
    """As Python writes it."""
    object: str
    """The name to edit it by: `optimizer.param_groups[0]['lr']`."""
    editable: bool = True
    elements: tuple[str, ...] = ()
    """Those of a tuple, each of which can be edited by its index."""


class ParameterGroup(Part, frozen=True):
    """One entry of `optimizer.param_groups`."""

    index: int
    hyperparameters: tuple[Hyperparameter, ...]
    tensors: int
    elements: int


class StateEntry(Part, frozen=True):
    """One entry of an optimizer's state of one parameter."""

    key: str
    object: str
    text: str
    """The value of a number (`12`), the shape of a tensor (`32×16`)."""
    norm: float | None = None


class LedgerRow(Part, frozen=True):
    """What an optimizer keeps of one parameter."""

    parameter: str
    group: int
    has_grad: bool
    state: tuple[StateEntry, ...] = ()


class OptimizerInfo(Part, frozen=True):
    """One optimizer."""

    name: str
    cls: str
    steps: int
    """How often it has stepped since it was first seen."""
    groups: tuple[ParameterGroup, ...]
    ledger: tuple[LedgerRow, ...]
    left_out: int = 0
    """Rows of the ledger beyond the first 2,000."""


class Optimizers(Message, frozen=True):
    """Answer to `ListOptimizers`."""

    optimizers: tuple[OptimizerInfo, ...]


class Foresee(Message, frozen=True):
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
    """Of that element, now."""
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


class PreviewEdit(Message, frozen=True):
    """What an edit would do; nothing is changed yet. Answer: `EditPreview`, or `Refusal`."""

    object: str
    expression: str
    """Python; `old` is the present value, and `torch` and the user's variables are at hand. For a gradient, `value` is
    the parameter; where `.grad` is None one is made of it, and the expression `None` frees one.
    """
    index: tuple[int, ...] | None = None
    """One element, of a tensor or of a tuple; None for the whole."""
    where: str = ""
    """A slice of a tensor as Python writes it, `[0, :8, ::2]`, where no index is given."""
    frame: int | None = None
    """As in `ListLocals`: `object` is a variable of that frame, which is bound anew."""


class EditPreview(Message, frozen=True):
    """Old and new in words."""

    token: int
    """What `ApplyEdit` names."""
    object: str
    index: tuple[int, ...] | None
    old: str
    new: str
    warning: str = ""
    """What the user must know before it is done."""
    where: str = ""
    """The slice, as in `Edit`."""
    saved: bool = False
    """Whether autograd may have saved the value for the backward that comes: `ApplyEdit.under` is then a choice."""


class ApplyEdit(Message, frozen=True):
    """Do what was previewed. Answer: `EditDone`."""

    token: int
    under: bool = False
    """Under autograd's feet: past the version counter, so that backward goes on with old and new values mixed. If not,
    through the tensor, and backward refuses where it needs the old value.
    """


class UndoEdit(Message, frozen=True):
    """Take the newest edit back. Answer: `EditDone` with `undone` or `lapsed` set, or `Refusal`."""


class Edit(Part, frozen=True):
    """An entry of the journal."""

    number: int
    """From 1, in the order in which they were made; a rank counts its own, the hub those of all."""
    object: str
    index: tuple[int, ...] | None
    expression: str
    old: str
    new: str
    boundary: int
    update: int
    undone: bool = False
    where: str = ""
    """The slice that was written, `[0, :8]`, where it was no single element and not the whole."""
    under: bool = False
    """Whether it was written under autograd's feet."""
    lapsed: bool = False
    """Whether it cannot be undone any more: what it changed is gone."""
    rank: int = 0
    """Whose it is; the hub says so."""


class EditDone(Message, frozen=True):
    """The edit as it stands in the journal."""

    edit: Edit


class Identify(Message, frozen=True):
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


class ReadGraph(Message, frozen=True):
    """The graph that backward walks from a tensor to the leaves, as a tree: the rows that are in view. Each question
    walks it a bit further. Answer: `Graph`.
    """

    object: str = ""
    """The tensor; empty for the loss, or where there is none, the newest output."""
    top: int = 0
    rows: int = 0
    opened: tuple[int, ...] = ()
    """The branches that are open, by the place of their first node."""
    walked: int = 0
    """What `Graph.walked` was in the last answer, so that asking on is another question."""


SavedState = Literal["kept", "changed", "freed", "hooked", "unwatched", "unknown"]


class SavedForBackward(Part, frozen=True):
    """A tensor that a node has saved for backward, looked at without unpacking it through anybody's hook."""

    label: str
    """As torch calls it: `self`, `mat1`, `result`; of a custom Function its place, or `ctx.x` for an attribute."""
    state: SavedState
    """`changed`: written in place since, so that backward will refuse; `freed`: a backward has been here; `hooked`:
    behind a hook, which is not run for a look; `unwatched`: an attribute, of which autograd counts no versions;
    `unknown`: this torch cannot tell.
    """
    shape: tuple[int, ...] = ()
    dtype: str = ""
    version: int | None = None
    """The version counter when it was saved."""
    now: int | None = None
    """The version counter now."""
    object: str = ""
    """What it is, or is a view of, where that is listed: `model.fc2.weight`."""
    note: str = ""
    """`recomputed in backward (checkpoint)`, or which hook it is behind."""


GraphRowKind = Literal["node", "leaf", "branch", "joins", "heading", "unreached", "earlier"]


class GraphRow(Part, frozen=True):
    """A row of the tree. A node's own line goes straight on at its depth; what else it leads to hangs below it."""

    kind: GraphRowKind
    """`leaf`: where a gradient is added to a parameter's (or another leaf's) `.grad`; `branch`: nodes that are shown
    only where it is open; `joins`: the line goes on at a node that is shown elsewhere. After the tree come `heading`,
    `unreached` (a trainable parameter), `earlier` (a graph of an earlier update).
    """
    name: str
    """Of a node its class: `AddmmBackward0`; of all others words."""
    node: int = 0
    """Its place in the order in which backward goes, from 1; of a branch or a join that of its first node; else 0."""
    depth: int = 0
    last: bool = False
    """Whether nothing follows below its node."""
    shapes: tuple[tuple[int, ...], ...] = ()
    """Of what the node has computed (its gradients have the same), at most `GRAPH_SHAPES` of them."""
    dtype: str = ""
    object: str = ""
    """The leaf; the tensor that the node has made, where it is listed or a variable holds it."""
    saved: tuple[SavedForBackward, ...] = ()
    through: tuple[str, ...] = ()
    """Nodes between a leaf and its row's node that save nothing: `TBackward0`."""
    nodes: int = 0
    """Of a branch; at most `GRAPH_BRANCH` are counted."""
    leaves: tuple[str, ...] = ()
    """Of a branch."""
    opened: bool = False
    refers: int = -1
    """The row where the node of a join is shown."""
    update: tuple[int, int] | None = None
    """The update that it was made in, where that is an earlier one; or the first and last of those it may have been."""
    note: str = ""
    """What is to be known of a node that is none of torch's; where a branch joins; what an earlier graph holds."""


GRAPH_SHAPES = 4
GRAPH_BRANCH = 500


class Graph(Message, frozen=True):
    """Answer to `ReadGraph`."""

    asked: str
    object: str = ""
    """The tensor whose graph it is: another one where the one asked for has none. Empty: there is none."""
    why: str = ""
    """Why the tensor asked for has no graph."""
    grad_fn: str = ""
    shape: tuple[int, ...] = ()
    top: int = 0
    rows: tuple[GraphRow, ...] = ()
    total: int = 0
    """Rows of the whole, as it is opened."""
    nodes: int = 0
    walked: int = 0
    """Grows with each answer until all is known."""
    complete: bool = True
    reached: int = 0
    """Trainable parameters at its leaves."""
    unreached: int = 0
    """Those that are not."""
    unreached_names: tuple[str, ...] = ()
    """Some of them."""
    earlier: int = 0
    """Graphs that are alive from before the update before."""
    freed: bool = False
    """Whether a backward has freed what it had saved."""
    update: tuple[int, int] | None = None
    """The update that it was made in, where that is an earlier one; or the first and last of those it may have been."""
    place: int = -1
    """The row of the leaf that was asked for."""
    remarks: tuple[str, ...] = ()
    """What a reader must know: which parts of it are hidden."""


class ReadSource(Message, frozen=True):
    """The text of a source file; the hub answers. Answer: `SourceText`."""

    file: str


class SourceText(Message, frozen=True):
    """Answer to `ReadSource`."""

    file: str
    text: str
    problem: str = ""
    """Why there is no text."""


class ListStops(Message, frozen=True):
    """The stops that this rank has made after the boundary of that index; the hub answers. Answer: `Stops`."""

    after: int = 0


class Tick(Part, frozen=True, array_like=True):
    """One stop, as the strip of the timeline marks it."""

    boundary: int
    update: int
    done: str | None = None
    next: str | None = None
    opens: bool = False
    """Whether an update opens here."""
    reason: Reason = "step"


class Stops(Message, frozen=True):
    """Answer to `ListStops`, oldest first: the newest `LISTED_STOPS` at the most."""

    ticks: tuple[Tick, ...]


LISTED_STOPS = 4_000


class ReadStop(Message, frozen=True):
    """An earlier stop as it was; the hub answers. Answer: `PastStop`."""

    boundary: int


class ReadPhase(Message, frozen=True):
    """The stop that followed on a phase, for the names behind its counts; the hub answers. Answer: `PastStop`."""

    update: int
    phase: str
    ordinal: int = 1
    """The first, second, … phase of that name in that update."""


class PastStop(Message, frozen=True):
    """Answer to `ReadStop` and `ReadPhase`."""

    stop: Stop


Remembered = (
    ListObjects
    | Summarise
    | LookAt
    | LookBeside
    | LookAtMaps
    | LookAtPictures
    | ListEffects
    | ListOptimizers
    | Foresee
    | Identify
)
"""Questions whose answers the hub keeps, for looking back."""


class Recall(Message, frozen=True):
    """What was answered to such a question at an earlier stop; the hub answers, with the same result or a `Refusal`."""

    boundary: int
    query: Remembered


class ListLocals(Message, frozen=True):
    """The variables of one frame. Answer: `Locals`."""

    frame: int
    """Its place in `Stop.frames`; -1, where those are none, for the variables of `__main__`."""


class Local(Part, frozen=True):
    """A variable of a frame, summarised without running any code of the user's."""

    name: str
    text: str = ""
    """The value in a few words; of a tensor only where it has a single element."""
    shape: tuple[int, ...] | None = None
    """Of a tensor; None for everything else."""
    dtype: str = ""
    device: str = ""
    min: float | None = None
    """Smallest and largest element, where they are quickly found."""
    max: float | None = None
    object: str = ""
    """What `LookAt` knows a tensor by."""


class Locals(Message, frozen=True):
    """Answer to `ListLocals`: tensors first, else in the frame's own order."""

    frame: int
    rows: tuple[Local, ...]
    left_out: int = 0
    """Modules, functions and classes of a module's frame, and what there is beyond `LOCALS`."""


LOCALS = 300
"""So many variables of a frame are listed."""


class Evaluate(Message, frozen=True):
    """Run Python in one frame of the stop. Answer: `Evaluated`; meanwhile `Interrupt` has something to interrupt."""

    frame: int
    """As in `ListLocals`."""
    source: str
    """Complete statements, or an expression."""


class Evaluated(Message, frozen=True):
    """Answer to `Evaluate`."""

    value: str = ""
    """The `repr` of the last expression, cut where it is very long; empty for None and for statements."""
    output: str = ""
    """What was printed, to stdout and stderr together."""
    failure: str = ""
    """The traceback, with nothing of ours in it, where an exception was raised."""
    note: str = ""
    """What a user must know: where an assignment went that the frame has no room for."""
    interrupted: bool = False


class Complete(Message, frozen=True):
    """What the name that `text` ends with could go on as. Answer: `Completions`."""

    frame: int
    """As in `ListLocals`."""
    text: str
    """The line up to the cursor."""


class Completions(Message, frozen=True):
    """Answer to `Complete`."""

    start: int
    """Where in the text the name begins that these replace."""
    names: tuple[str, ...] = ()


class Refusal(Message, frozen=True):
    """Why there is no answer, with the remedy, in one or two sentences."""

    problem: str


HubQuery = ReadSource | ListStops | ReadStop | ReadPhase | Recall
"""Questions that the hub answers by itself, whatever the rank does."""
Query = (
    ListObjects
    | Summarise
    | LookAt
    | LookAtMaps
    | LookAtPictures
    | LookBeside
    | Find
    | ListEffects
    | ListOptimizers
    | Foresee
    | Identify
    | ReadGraph
    | PreviewEdit
    | ApplyEdit
    | UndoEdit
    | Save
    | HubQuery
    | ListLocals
    | Evaluate
    | Complete
)
Result = (
    Objects
    | Summaries
    | TensorView
    | HeatMaps
    | Pictures
    | Beside
    | Found
    | EffectNames
    | Optimizers
    | Foresight
    | Identity
    | Graph
    | EditPreview
    | EditDone
    | SourceText
    | Saved
    | Stops
    | PastStop
    | Locals
    | Evaluated
    | Completions
    | Refusal
)


class Ask(Message, frozen=True):
    """A question. From a client, `number` is the client's own; the hub renumbers it towards the rank."""

    number: int
    query: Query
    rank: int = 0


class Answer(Message, frozen=True):
    """What became of the `Ask` of that number."""

    number: int
    result: Result


# ---------------------------------------------------------------- breakpoints


class Breakpoint(Part, frozen=True):
    """Where to stop: at a phase, at an update, or at a phase of one update."""

    number: int
    """From 1, given by the hub; 0 in a request."""
    phase: str | None = None
    when: Literal["before", "after"] = "before"
    update: int | None = None
    enabled: bool = True
    hits: int = 0


# ---------------------------------------------------------------- rank ↔ hub


class RankHello(Message, frozen=True):
    """First frame of a training process, at its first boundary."""

    version: int
    pid: int
    rank: int
    world: int
    page: str
    """File name of the shared page, inside the session's folder."""
    torch: str
    python: str


class Tracing(Part, frozen=True):
    """What a trace tells of each boundary beyond where it lies."""

    effects: bool = False
    """What the phase done did to which object, by fingerprints."""
    fingerprints: bool = False
    """The fingerprint of everything that is alive."""
    updates: int | None = None
    """After so many the training process is ended."""


class RankWelcome(Message, frozen=True):
    """The hub's answer to `RankHello`: how to begin."""

    version: int
    go: Go | None
    """None: stop at this first boundary."""
    breakpoints: tuple[Breakpoint, ...] = ()
    readonly: bool = False
    trace: Tracing | None = None
    """Each boundary is told of in a `Traced`, whether training stops there or not; None: none is."""
    keep: int = 25
    """Percent of the free memory that copies of what was before a phase may take."""


class Stopped(Message, frozen=True):
    """Training waits at a boundary."""

    stop: Stop


class Resumed(Message, frozen=True):
    """Training goes on from the boundary of that index."""

    boundary: int
    until: Go


class Traced(Message, frozen=True):
    """A boundary that training passes in a traced run; nobody answers. The hub hands it on to the launcher."""

    boundary: Boundary
    pid: int
    reason: TraceReason | None = None
    """Why nothing follows: the script has ended, or its wanted updates are over. Or a `stepdbg.breakpoint()`."""
    failure: Failure | None = None
    """The exception that ended the script."""
    effects: tuple[Effect, ...] | None = None
    """All of the phase done, none left out; None where they were not asked for."""
    fingerprints: dict[str, str | None] | None = None
    """By name of the object; None for one whose bytes cannot be read."""
    algorithms: dict[str, str] | None = None
    """What the fingerprints are, by place (`cpu`, `device`, `value`); told with the first ones only."""


class BreakpointHit(Message, frozen=True):
    """A breakpoint was met; precedes the `Stopped` that it causes."""

    number: int


class Interruptible(Message, frozen=True):
    """From now on that signal interrupts an `Evaluate`, and does nothing at any other time."""

    signal: int


class Notice(Message, frozen=True):
    """Something to tell the user in a sentence. From a rank to the hub, and from the hub to its clients."""

    text: str
    severity: Severity = "information"


class Resume(Message, frozen=True):
    """Go on: to the next boundary, to where the next update opens, or until something stops it."""

    until: Go


class Pause(Message, frozen=True):
    """Stop at the next boundary."""


class SetBreakpoints(Message, frozen=True):
    """All breakpoints that hold from now on."""

    breakpoints: tuple[Breakpoint, ...]


class Disarm(Message, frozen=True):
    """Go on, and never stop or report again: the session has ended."""


FromRank = RankHello | Stopped | Resumed | BreakpointHit | Traced | Interruptible | Notice | Answer
ToRank = RankWelcome | Resume | Pause | SetBreakpoints | Disarm | Ask


# ---------------------------------------------------------------- client ↔ hub


class ClientHello(Message, frozen=True):
    """First frame of a client."""

    version: int
    role: Literal["screen", "command", "launcher"] = "screen"
    """A `screen` holds the process at its end; a `launcher` runs a headless target and reports its exit."""


class Steer(Message, frozen=True):
    """Move a rank: the keys `n`, `s`, `I`, `f`, `c` and `p`."""

    action: Literal["next", "into", "operator", "finish", "continue", "pause"]
    rank: int = 0


class AddBreakpoint(Message, frozen=True):
    """Set one; the hub numbers it. One that is there already is switched on instead."""

    breakpoint: Breakpoint


class SwitchBreakpoint(Message, frozen=True):
    """Switch one on or off."""

    number: int
    enabled: bool


class RemoveBreakpoint(Message, frozen=True):
    """Forget one."""

    number: int


class SendInput(Message, frozen=True):
    """Bytes for the script's standard input."""

    data: bytes


class ResizeTerminal(Message, frozen=True):
    """The size of the script's terminal."""

    columns: int
    rows: int


class ShowStack(Message, frozen=True):
    """Have every thread's stack written to the output: “where does it hang?”"""

    rank: int | None = None
    """Of that one only; None for all."""


class Restart(Message, frozen=True):
    """End the target and run it again in the same session: the same command, breakpoints kept."""


class Interrupt(Message, frozen=True):
    """Interrupt what a rank evaluates for the console."""

    rank: int = 0


class Leave(Message, frozen=True):
    """How a client goes: training goes on, stays as it is, or is ended."""

    how: Literal["go on", "stay", "stop"]


class TargetExited(Message, frozen=True):
    """A launcher's word that its target has ended with this status (negative: the signal)."""

    status: int


class LossPoint(Part, frozen=True, array_like=True):
    """One value of one loss."""

    update: int
    loss: int
    """Index into the names that come with it."""
    value: float


class RankState(Part, frozen=True):
    """What the hub knows of one training process."""

    rank: int
    pid: int
    state: State
    stop: Stop | None = None
    """The stop at which it waits; while it runs or when it is gone, the last one."""
    losses: tuple[str, ...] = ()
    """Names of the losses that `LossPoint.loss` counts through."""
    torch: str = ""
    python: str = ""


class SessionState(Part, frozen=True):
    """The session as the hub sees it: what every screen draws from."""

    name: str
    target: str
    """The command line, for people."""
    script: str
    """The short name for the header: `mnist.py`."""
    state: State
    doing: str = ""
    """What is waited for, in words: `importing torch`."""
    since: float = 0.0
    """Seconds since the epoch (`time.time`) when `doing` or `state` began."""
    ranks: tuple[RankState, ...] = ()
    breakpoints: tuple[Breakpoint, ...] = ()
    edits: tuple[Edit, ...] = ()
    clients: int = 0
    exit_status: int | None = None
    """The target's own; negative for a signal."""
    readonly: bool = False
    terminal: bool = True
    """False for a headless session: no output to show, no input to send."""
    directory: str = ""
    """Where the target was started: what is saved goes there, unless the user says otherwise."""
    kept: str = ""
    """The file in which screens keep breakpoints and layout of the script; empty: nothing is kept."""
    run: int = 1
    """How often the target was started. What is known of an earlier run is of no use for a later one."""


class Welcome(Message, frozen=True):
    """The hub's answer to `ClientHello`; then follow the losses and the output so far."""

    version: int
    session: SessionState


class SessionChanged(Message, frozen=True):
    """The whole state anew, at every change of it (a stop, a breakpoint, an exit)."""

    session: SessionState


class Progress(Message, frozen=True):
    """What runs, at most five times a second, only while something runs."""

    rank: int
    phase: str
    phase_seconds: float
    """How long it has been in that phase."""
    update: int
    epoch: int | None
    loss: float | None
    updates_per_second: float | None


class LossPoints(Message, frozen=True):
    """New points, oldest first: of the losses, or of the values that the script watches."""

    rank: int
    losses: tuple[str, ...]
    points: tuple[LossPoint, ...]
    watched: bool = False
    """True for the values of `stepdbg.watch`."""


class Output(Message, frozen=True):
    """What the script wrote to its terminal. `start` counts all bytes that it ever wrote."""

    start: int
    data: bytes


FromClient = (
    ClientHello
    | Ask
    | Steer
    | AddBreakpoint
    | SwitchBreakpoint
    | RemoveBreakpoint
    | SendInput
    | ResizeTerminal
    | ShowStack
    | Restart
    | Interrupt
    | Leave
    | TargetExited
)
ToClient = Welcome | SessionChanged | Progress | LossPoints | Output | Traced | Notice | Answer
