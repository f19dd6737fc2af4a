"""Between a training process and the hub."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.asking import Answer, Ask
from stepdbg.protocol.messages.base import Message, Part
from stepdbg.protocol.messages.breakpoints import Breakpoint
from stepdbg.protocol.messages.effects import Effect
from stepdbg.protocol.messages.findings import Checked, FindingMet, ReplicaStepped
from stepdbg.protocol.messages.stops import Boundary, Failure, Stop
from stepdbg.protocol.messages.watches import SetWatches, Watch, WatchesRead, WatchFailed

TraceReason = Literal["exit", "exception", "breakpoint", "updates"]
Go = Literal["next", "into", "operator", "finish", "continue"]
"""How far: to the next boundary; to the next inner stop of the phase that comes or runs, by its larger units (a module,
a gradient, a parameter) or by operators; to where the next update opens; until something stops it."""
Severity = Literal["information", "warning", "error"]


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
    """The number of updates after which the training process is ended; None for no end."""
    rules: tuple[str, ...] | None = None
    """The names of the rules that look at each boundary; None for none."""


class RankWelcome(Message, frozen=True):
    """The hub's answer to `RankHello`: how to begin."""

    version: int
    go: Go | None
    """How far to go from the first boundary; None to stop there."""
    breakpoints: tuple[Breakpoint, ...] = ()
    readonly: bool = False
    trace: Tracing | None = None
    """Each boundary is told of in a `Traced`, whether training stops there or not; None: none is."""
    keep: int = 25
    """Percent of the free memory that copies of what was before a phase may take."""
    watches: tuple[Watch, ...] = ()
    exceptions: bool = True
    """Whether an uncaught exception is a stop."""
    async_conditions: bool = False
    """Whether a condition on what lies on a device may be read at a later boundary than its own, so that nothing waits
    for it."""
    rules: tuple[str, ...] | None = None
    """The names of the rules that look on while somebody steps; None for all that go by no threshold."""
    ignored_rules: tuple[str, ...] = ()
    """Those that do not."""


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
    """All effects of the phase done; None where they were not asked for."""
    fingerprints: dict[str, str | None] | None = None
    """The fingerprints by the names of the objects; None for an object whose bytes cannot be read."""
    algorithms: dict[str, str] | None = None
    """What the fingerprints are, by place (`cpu`, `device`, `value`); told with the first ones only."""


class BreakpointHit(Message, frozen=True):
    """A breakpoint was met; precedes the `Stopped` that it causes."""

    number: int
    stopped: bool = True
    """Whether training stops for it: not where it is to be ignored so many times, or notes a message."""


class BreakpointFailed(Message, frozen=True):
    """A breakpoint's condition, or its message, could not be evaluated; precedes the `Stopped` that this causes."""

    number: int
    problem: str
    """What went wrong, in a line."""
    off: bool = False
    """Whether the breakpoint is not looked at any more."""


class BreakpointRemark(Message, frozen=True):
    """Something is to be known of how a breakpoint's condition is evaluated."""

    number: int
    remark: str
    """What, in a line."""


class Noted(Message, frozen=True):
    """A breakpoint was met that notes a message. From a rank to the hub, and from the hub to its clients."""

    number: int
    boundary: Boundary
    words: str


class Interruptible(Message, frozen=True):
    """The signal that interrupts an `Evaluate` from now on, and does nothing at any other time."""

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


FromRank = (
    RankHello
    | Stopped
    | Resumed
    | BreakpointHit
    | BreakpointFailed
    | BreakpointRemark
    | Noted
    | WatchesRead
    | WatchFailed
    | Traced
    | FindingMet
    | Checked
    | ReplicaStepped
    | Interruptible
    | Notice
    | Answer
)
ToRank = RankWelcome | Resume | Pause | SetBreakpoints | SetWatches | Disarm | Ask
