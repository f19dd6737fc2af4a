"""Between a screen (or a headless command) and the hub."""

from __future__ import annotations

from typing import Literal

from stepdbg.protocol.messages.asking import Answer, Ask
from stepdbg.protocol.messages.base import Message, Part
from stepdbg.protocol.messages.breakpoints import Breakpoint
from stepdbg.protocol.messages.edits import Edit
from stepdbg.protocol.messages.findings import Checked, Finding, FindingMet
from stepdbg.protocol.messages.ranks import Noted, Notice, Traced
from stepdbg.protocol.messages.stops import Stop
from stepdbg.protocol.messages.watches import AddWatch, RemoveWatch, SwitchWatch, Watch, WatchPoints

State = Literal["starting", "running", "paused", "replaying", "exited", "lost"]


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
    """Set a breakpoint; the hub numbers it. A breakpoint that is there already is switched on instead."""

    breakpoint: Breakpoint


class SwitchBreakpoint(Message, frozen=True):
    """Switch a breakpoint on or off."""

    number: int
    enabled: bool


class RemoveBreakpoint(Message, frozen=True):
    """Forget a breakpoint."""

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
    """The rank that is meant; None for all ranks."""


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
    """A value of a loss, or of what the script watches."""

    update: int
    loss: int
    """Index into the names of losses that come with the points."""
    value: float


class RankState(Part, frozen=True):
    """What the hub knows of one training process."""

    rank: int
    pid: int
    state: State
    stop: Stop | None = None
    """The stop at which the process waits; while it runs or when it is gone, the last one."""
    losses: tuple[str, ...] = ()
    """Names of the losses that `LossPoint.loss` counts through."""
    torch: str = ""
    python: str = ""
    pausing: bool = False
    """Whether the process runs and was asked to pause at its next boundary."""
    world: int = 1
    """How many training processes there are to be, as this one says."""


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
    """The target's exit status, negative for a signal; None until it has ended."""
    readonly: bool = False
    terminal: bool = True
    """False for a headless session: no output to show, no input to send."""
    directory: str = ""
    """The folder in which the target was started: what is saved goes there, unless the user says otherwise."""
    kept: str = ""
    """The file in which screens keep breakpoints and layout of the script; empty: nothing is kept."""
    run: int = 1
    """How often the target was started. What is known of an earlier run is of no use for a later one."""
    watches: tuple[Watch, ...] = ()
    findings: tuple[Finding, ...] = ()
    """What the rules have found in this run, in the order in which it was met."""


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
    """The time that training has been in that phase so far, in seconds."""
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
    | AddWatch
    | SwitchWatch
    | RemoveWatch
    | SendInput
    | ResizeTerminal
    | ShowStack
    | Restart
    | Interrupt
    | Leave
    | TargetExited
)
ToClient = (
    Welcome
    | SessionChanged
    | Progress
    | LossPoints
    | WatchPoints
    | Output
    | Traced
    | FindingMet
    | Checked
    | Noted
    | Notice
    | Answer
)
