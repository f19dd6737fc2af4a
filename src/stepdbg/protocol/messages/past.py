"""The user's source, and stops that lie behind."""

from __future__ import annotations

from stepdbg.protocol.messages.base import HubQuery, Part, Result
from stepdbg.protocol.messages.stops import Reason, Stop


class ReadSource(HubQuery, frozen=True):
    """The text of a source file; the hub answers. Answer: `SourceText`."""

    file: str


class SourceText(Result, frozen=True):
    """Answer to `ReadSource`."""

    file: str
    text: str
    problem: str = ""
    """Why there is no text."""


class ListStops(HubQuery, frozen=True):
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


class Stops(Result, frozen=True):
    """Answer to `ListStops`, oldest first: the newest `LISTED_STOPS` at the most."""

    ticks: tuple[Tick, ...]


LISTED_STOPS = 4_000


class ReadStop(HubQuery, frozen=True):
    """An earlier stop as it was; the hub answers. Answer: `PastStop`."""

    boundary: int


class ReadPhase(HubQuery, frozen=True):
    """The stop that followed on a phase, for the names behind its counts; the hub answers. Answer: `PastStop`."""

    update: int
    phase: str
    ordinal: int = 1
    """The first, second, … phase of that name in that update."""


class PastStop(Result, frozen=True):
    """Answer to `ReadStop` and `ReadPhase`."""

    stop: Stop
