"""What the user watches: expressions, and what they give."""

from __future__ import annotations

from stepdbg.protocol.messages.base import Message, Part, Question, Result


class Watch(Part, frozen=True):
    """An expression of Python that is evaluated at each stop, and in a free run after the step of some updates."""

    number: int
    """From 1, given by the hub, never twice; 0 in a request."""
    expression: str
    enabled: bool = True
    problem: str = ""
    """Why it could not be evaluated the last time that a free run was sampled, or why it is switched off; empty where
    all is well.
    """


class WatchValue(Part, frozen=True, array_like=True):
    """What a watch gives at a stop."""

    watch: int
    """The watch's number."""
    value: float | None = None
    """None where it gives no number."""
    text: str = ""
    """What it gives in words, where that is more than the number: `True`; empty for a plain number."""
    problem: str = ""
    """Why it cannot be evaluated there."""


class WatchPoint(Part, frozen=True, array_like=True):
    """What a watch gave when an update was done: after its last step, before the phase that followed on it."""

    update: int
    watch: int
    value: float


class AddWatch(Message, frozen=True):
    """Watch an expression; the hub numbers it. One that is watched already is switched on instead."""

    expression: str


class SwitchWatch(Message, frozen=True):
    """Switch a watch on or off."""

    number: int
    enabled: bool


class RemoveWatch(Message, frozen=True):
    """Forget a watch and its history."""

    number: int


class SetWatches(Message, frozen=True):
    """All watches that hold in a training process from now on."""

    watches: tuple[Watch, ...]


class WatchesRead(Message, frozen=True):
    """What the watches give at the stop at which training waits, after they or what they read were changed there."""

    values: tuple[WatchValue, ...]


class WatchFailed(Message, frozen=True):
    """A watch could not be evaluated when a free run was sampled, or (with no problem) can be again."""

    number: int
    problem: str
    off: bool = False
    """Whether it is not evaluated any more, since it does not end."""


class WatchPoints(Message, frozen=True):
    """New values of watches, oldest first."""

    rank: int
    points: tuple[WatchPoint, ...]


class CheckWatch(Question, frozen=True):
    """What does that expression give here and now? Answer: `WatchChecked`."""

    expression: str


class WatchChecked(Result, frozen=True):
    """An expression evaluated at this stop, with nothing kept of it."""

    value: WatchValue


class ReadHistory(Question, frozen=True):
    """What has become of a parameter over the updates that were sampled? Answer: `History`."""

    object: str
    """The parameter, or its gradient."""


class HistoryPoint(Part, frozen=True, array_like=True):
    """A parameter at the end of an update."""

    update: int
    grad_norm: float | None = None
    """The 2-norm of the gradient that the step was made with; None where there was none."""
    ratio: float | None = None
    """The norm of what the update has changed over that of the value; None where that was not looked at."""


class History(Result, frozen=True):
    """Answer to `ReadHistory`."""

    object: str
    """The parameter."""
    points: tuple[HistoryPoint, ...] = ()
    """The updates that were sampled, oldest first."""
