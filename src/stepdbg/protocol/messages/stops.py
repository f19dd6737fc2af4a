"""A boundary, and what is known when training waits there."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.bad_values import BadValue
from stepdbg.protocol.messages.base import Part
from stepdbg.protocol.messages.effects import Effects
from stepdbg.protocol.messages.tensors import Statistics
from stepdbg.protocol.messages.watches import WatchValue

Reason = Literal["step", "breakpoint", "pause", "nan", "exception", "exit"]


class Boundary(Part, frozen=True):
    """The moment between two phases, the only place where training stops."""

    index: int
    """The number of the boundary, from 1, in each training process."""
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
    """The epoch of the phase done (of what comes next, where nothing is done yet): how often the loader that feeds
    training has been iterated over. None without a loader."""
    file: str | None = None
    line: int | None = None
    """The user's own innermost frame."""
    ms: float | None = None
    """Milliseconds that the call of the phase done took."""
    loss: float | None = None
    """The newest loss known; None before there is one."""
    skipped: bool = False
    """True where the phase done was a step that did nothing (a GradScaler that met infinite gradients)."""
    over: int | None = None
    """The epoch that is over, where the phase done has found a loader with no batch left (0 if the epoch is not known);
    else None."""


class PhaseRecord(Part, frozen=True):
    """A phase of an update as it went: what the rail draws a box of."""

    name: str
    ms: float | None = None
    inside: tuple[str, ...] = ()
    effects: Effects | None = None
    """The counts of what the phase did, without names; None where nobody looked."""
    skipped: bool = False
    of: str = ""
    """The name of the phase's owner, where there are several models or optimizers: `optimizer_d`, `generator`, the
    loss's name."""


class Frame(Part, frozen=True):
    """A frame of the training thread's stack."""

    file: str
    line: int
    function: str
    library: bool = False
    """True for frames of installed packages and of the standard library."""


class Census(Part, frozen=True):
    """The device, number and size of the parameters: the right end of the header."""

    device: str
    """`cpu`, `cuda:0`, or several joined by a comma."""
    parameters: int
    """Number of parameter tensors."""
    elements: int
    bytes: int


class Operand(Part, frozen=True):
    """What an exception was raised on: a tensor that the user's line names there, or a number that is an index."""

    name: str
    """The expression for the tensor in the user's innermost frame; `its input` is what the module was called with."""
    shape: tuple[int, ...] = ()
    dtype: str = ""
    """The dtype without `torch.`; empty for an index."""
    device: str = ""
    number: float | int | None = None
    """The index, or the value of a tensor that has a single one."""


class Failure(Part, frozen=True):
    """An uncaught exception of the script."""

    type: str
    message: str
    traceback: str
    """The traceback as Python prints it, with nothing of ours in it."""
    module: str = ""
    """The innermost module whose forward was running, as the user names it; empty where none was."""
    operands: tuple[Operand, ...] = ()
    """What the exception was raised on, the nearest first."""
    why: str = ""
    """Why autograd has refused a backward; empty where that is not certain, and of any other exception."""
    with_grad: tuple[str, ...] = ()
    """The names of a few parameters that have a `.grad`, where the exception has left a backward of which nothing was
    recorded."""
    with_grad_of: tuple[int, int] = (0, 0)
    """The number of parameters that have a `.grad` then, and of those that are trained."""
    kind: str = ""
    """The class and sizes of `module`, where it is one of torch's that has such: `Linear 20→4`; else empty."""
    torn_down: tuple[str, ...] = ()
    """The user's lines, `train.py:31`, around which a `finally`, a `with` or an `except` has run for the exception
    before training stopped; empty where training stops before that."""


class InnerTensor(Part, frozen=True):
    """A tensor that an inner stop is about."""

    label: str
    """What the tensor is to the unit: `input`, `output[0]`, `gradient`, `before`."""
    object: str
    """The name that `LookAt` knows the tensor by."""
    shape: tuple[int, ...]
    dtype: str
    """The dtype without `torch.`: `float32`."""
    device: str = ""
    statistics: Statistics | None = None
    """The statistics of what has just been computed or written; None for what has gone in."""


Unit = Literal["module", "operator", "gradient", "node", "parameter", "line"]
"""What an inner stop comes after: a module's call, an operator's; in a backward the gradient of a parameter, or a node
of the graph; in a step a parameter's new value; a `line` of the user's is about to run: a breakpoint is on it,
or it has called `stepdbg.breakpoint()`."""


class Inner(Part, frozen=True):
    """The unit of a phase that has just been done, after which training waits."""

    unit: Unit
    name: str = ""
    """The name of the unit: `model.fc1`, `aten.addmm`, `model.fc1.weight`, `ReluBackward0`, `train.py:48`; empty for a
    `stepdbg.breakpoint()`."""
    cls: str = ""
    """The class of a module or optimizer."""
    within: str = ""
    """The module whose call an operator is part of, or that made what a node of the graph leads back from."""
    tensors: tuple[InnerTensor, ...] = ()
    """The tensors that the unit is about: first what came out or was written."""
    left_out: int = 0
    """The number of tensors that are not described."""
    nth: int = 1
    """How often this unit has come up in this phase, this time included."""
    place: int = 0
    """The place of the unit among all units of the phase, from 1."""
    total: int = 0
    """The number of all units of the phase; 0 where it is not known."""
    how: Literal["", "written", "added", "together", "gone"] = ""
    """How the unit has written: a gradient is the first one (`written`) or `added` to one that was there; a parameter
    was written `together` with all others, by one call of a foreach or fused optimizer; what was written is `gone`
    again (a hook of the user's has freed the gradient)."""
    change: float | None = None
    """2-norm of what a step has changed of a parameter; None where the parameter was too large to keep."""
    phase: str = ""
    """The phase that the unit is part of."""
    ahead: bool = False
    """True where the unit is about to be done: a breakpoint before a module's call, whose tensors are its inputs."""


class Stop(Part, frozen=True):
    """A boundary at which training waits, and all that the screen draws without asking further."""

    boundary: Boundary
    reason: Reason
    detail: str = ""
    """The breakpoint, the exception, or the first bad value and what produced it, in words; empty for any other
    reason."""
    bad: BadValue | None = None
    """The first value that is not finite, where training stops for it."""
    effects: Effects | None = None
    """What the phase done did; None where nothing was recorded before it."""
    phases: tuple[PhaseRecord, ...] = ()
    """The phases done so far in the update of `boundary`, in order."""
    previous: tuple[PhaseRecord, ...] = ()
    """The phases of the last complete update: the learned order, and what is foretold."""
    frames: tuple[Frame, ...] = ()
    """The stack of the training thread, innermost first."""
    line_done: tuple[str, int] | None = None
    """File and line where the phase done was called."""
    line_next: tuple[str, int] | None = None
    """File and line that runs next; None where that is not known."""
    census: Census | None = None
    registry: int = 0
    """A number that grows when the set of objects or their names change: `Objects` are to be asked for again."""
    pending_backward: bool = False
    """True between a training forward and its backward: autograd refuses edits of what it has saved."""
    loss_name: str | None = None
    """The name of the newest loss in the user's frame; before backward, of the loss that it will be called on."""
    failure: Failure | None = None
    made_in: dict[str, int] = {}
    """The update that the newest `batch`, `output` and `loss` are of: after `zero_grad` still the one before."""
    next_of: str = ""
    """The owner of the phase that comes next, as in `PhaseRecord.of`."""
    done_of: str = ""
    """The owner of the phase done, as in `PhaseRecord.of`, where it has no record: a single evaluation."""
    unmet: tuple[int, ...] = ()
    """The breakpoints, by number, that name what has not been met yet in this run."""
    evaluations: int = 1
    """How many evaluations in a row the phase done stands for, where it is one."""
    suspicion: str = ""
    """A line on what looks like a mistake; empty where nothing does."""
    modes: tuple[tuple[str, str], ...] = ()
    """Models that are trained and not in training mode: by name, `eval`, or `mixed` where some of their modules are."""
    evaluating: tuple[str, ...] = ()
    """Models and modules that are in evaluation mode and lie in none that is, by name; no more than some dozens."""
    inner: Inner | None = None
    """The unit that has just been done, at a stop inside a phase, which `boundary` then names in `inside`; else
    None."""
    walked_from: str | None = None
    """The name of the loss that the backward just done was called on; empty where that was no loss (a derivative by
    `torch.autograd.grad`), None where nobody can say."""
    watched: tuple[WatchValue, ...] = ()
    """What the watches give here."""
