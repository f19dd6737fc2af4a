"""How a question is answered at a stop: its message, and a handler that names the message's type."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import Any, ClassVar

from stepdbg.protocol import messages as m
from stepdbg.protocol.messages.base import Question
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.effects.step_progress import StepProgress


@dataclass(frozen=True, slots=True)
class AtStop:
    """What every handler gets when training has stopped."""

    boundary: m.Boundary
    """The boundary at which training waits."""
    stack: list[FrameType] = field(default_factory=list)
    """The training thread's frames, innermost first."""
    snapshot: ObjectSnapshot = field(default_factory=dict)
    """The snapshot of everything alive; empty where nothing could be read."""
    effects: Sequence[m.Effect] = ()
    """What the phase done did."""
    gradients: bool = True
    """Whether the script records for autograd where it stands."""
    pending_backward: bool = False
    """Whether a training forward has run whose backward is still to come."""
    opened_ns: int = 0
    """The time at which the update opened that the gradients are of (`monotonic_ns`)."""
    inner: m.Inner | None = None
    """What has just been done within a phase; None at a boundary between phases."""
    coming: Any = None
    """The model or optimizer whose phase comes next; None where that is not known."""
    midstep: StepProgress | None = None
    """The step that training waits inside of."""


class Handler:
    """Answers questions of some types, and may hold what it needs for as long as training waits.

    A handler without questions of its own (a cache) is told of stops and edits like the others.
    """

    answers: ClassVar[tuple[type[Question], ...]] = ()
    """The types of the questions that this handler answers."""
    changes: ClassVar[tuple[type[Question], ...]] = ()
    """The questions after which anything may have become another."""
    readonly: ClassVar[Mapping[type[Question], str]] = {}
    """What a read-only session says instead of an answer."""

    def open(self, at: AtStop) -> None:
        """Training has stopped."""

    def close(self) -> None:
        """Training goes on: hold no frame and no tensor."""

    def edited(self) -> None:
        """Something is about to be changed: what was worked out holds no more."""

    def let_go(self) -> None:
        """Training runs on by itself: keep nothing that was made for those who step."""

    def answer(self, query: Any) -> m.Result:
        """The answer to a question of one of these types.

        Raises:
            Refused, Unreadable: there is none; the text says why.
        """
        raise NotImplementedError(type(query).__name__)
