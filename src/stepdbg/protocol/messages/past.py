"""The user's source, and stops that lie behind."""

from __future__ import annotations

from stepdbg.protocol.messages.base import Message, Part
from stepdbg.protocol.messages.effects import ListEffects
from stepdbg.protocol.messages.foresight import Foresee
from stepdbg.protocol.messages.identity import Identify
from stepdbg.protocol.messages.images import LookAtMaps, LookAtPictures
from stepdbg.protocol.messages.objects import ListObjects, Summarise
from stepdbg.protocol.messages.optimizers import ListOptimizers
from stepdbg.protocol.messages.stops import Reason, Stop
from stepdbg.protocol.messages.tensors import LookAt, LookBeside


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
    """A stop as the strip of the timeline marks it."""

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
