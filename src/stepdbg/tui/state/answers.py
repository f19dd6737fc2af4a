"""What panels ask and what they are answered: each question has a slot, of which the snapshot keeps the newest answer.

A slot that one panel alone asks for is declared with that panel; here are those that others know of as well.
"""

from __future__ import annotations

from typing import Generic, TypeVar

from msgspec import Struct

from stepdbg.protocol.messages import Identity, Objects, PastStop, Result, SourceText, Stops, Summaries

A = TypeVar("A", bound=Result, covariant=True)


class Slot(Struct, Generic[A], frozen=True):
    """One question of a screen, whatever it is about at the moment: which tensor, which rows."""

    name: str
    kind: type[A]
    """The class of its answers."""
    stale_after_edit: bool = False
    """Whether an edit changes what was answered, so that it is to be asked again."""
    kept_when_refused: bool = False
    """Whether the last answer stays when a newer one is refused."""
    problem_of: str = ""
    """The slot that a refusal is told for, where it is not this one."""
    past: bool = False
    """Whether the question is about the earlier stop that is looked at."""


class Answer(Struct, frozen=True):
    """The newest answer of a slot."""

    result: Result
    boundary: int
    """The index of the boundary at which it was asked."""


class Arrived(Struct, frozen=True):
    """A question was answered."""

    slot: Slot[Result]
    """The slot of the question that is answered."""
    boundary: int
    """The index of the boundary at which it was asked."""
    result: Result
    rank: int = 0
    """The number of the rank that has answered."""


OBJECTS = Slot("objects", Objects, kept_when_refused=True)
"""The rows of the Model panel that are in view, or were."""
OVERVIEW = Slot("overview", Objects, kept_when_refused=True)
"""What the models are, with no rows."""
SUMMARIES = Slot("summaries", Summaries, stale_after_edit=True, kept_when_refused=True)
"""The figures of those rows; what was known of others at the same stop stays known."""
SOURCE = Slot("source", SourceText, kept_when_refused=True)
"""The text of a file; those of others stay known."""
STOPS = Slot("stops", Stops, kept_when_refused=True)
"""The stops since those that are known."""
IDENTITY = Slot("identity", Identity, stale_after_edit=True)
"""The owners of the tensor that they were asked for, and what hangs on it."""
PAST_STOP = Slot("stop", PastStop, past=True)
"""The earlier stop that is looked at."""
