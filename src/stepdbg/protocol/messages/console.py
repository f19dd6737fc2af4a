"""The variables of a frame, and Python run in it."""

from __future__ import annotations

from stepdbg.protocol.messages.base import Part, Question, Result


class ListLocals(Question, frozen=True):
    """The variables of one frame. Answer: `Locals`."""

    frame: int
    """The place of the frame in `Stop.frames`; -1, where those are none, for the variables of `__main__`."""


class Local(Part, frozen=True):
    """A variable of a frame, summarised without running any code of the user's."""

    name: str
    text: str = ""
    """The value in a few words; of a tensor only where it has a single element."""
    shape: tuple[int, ...] | None = None
    """The shape of a tensor; None for everything else."""
    dtype: str = ""
    device: str = ""
    min: float | None = None
    """The smallest element, where it is quickly found; else None."""
    max: float | None = None
    object: str = ""
    """The name that `LookAt` knows a tensor by; empty for everything else."""


class Locals(Result, frozen=True):
    """Answer to `ListLocals`: tensors first, else in the frame's own order."""

    frame: int
    rows: tuple[Local, ...]
    left_out: int = 0
    """The number of variables left out: modules, functions and classes of a module's frame, and all beyond `LOCALS`."""


LOCALS = 300
"""The number of variables of a frame that are listed at most."""


class Evaluate(Question, frozen=True):
    """Run Python in one frame of the stop. Answer: `Evaluated`; meanwhile `Interrupt` has something to interrupt."""

    frame: int
    """The place of the frame, as in `ListLocals`."""
    source: str
    """Complete statements, or an expression."""


class Evaluated(Result, frozen=True):
    """Answer to `Evaluate`."""

    value: str = ""
    """The `repr` of the last expression, cut where it is very long; empty for None and for statements."""
    output: str = ""
    """The text printed, to stdout and stderr together."""
    failure: str = ""
    """The traceback, with nothing of ours in it, where an exception was raised."""
    note: str = ""
    """A note that the user needs: where an assignment went that the frame has no room for."""
    interrupted: bool = False


class Complete(Question, frozen=True):
    """What the name that `text` ends with could go on as. Answer: `Completions`."""

    frame: int
    """The place of the frame, as in `ListLocals`."""
    text: str
    """The line up to the cursor."""


class Completions(Result, frozen=True):
    """Answer to `Complete`."""

    start: int
    """The place in the text of the name that the completions replace."""
    names: tuple[str, ...] = ()
