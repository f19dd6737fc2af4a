"""Why training stops, and how the user has said to go on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from types import FrameType, TracebackType

import msgspec

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.failures import failure, in_words
from stepdbg.tracer.stepping.orders import ORDERS, Describes
from stepdbg.tracer.stops.callers import PhaseOwner
from stepdbg.tracer.stops.left import Left
from stepdbg.tracer.stops.watch import Seen
from stepdbg.tracer.unwinding.fate import torn_down

STEPPING: tuple[m.Go | None, ...] = ("next", *ORDERS)
"""The orders that stop at the next boundary, if not before."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why training stops, and where."""

    reason: m.Reason
    detail: str
    stack: list[FrameType]
    """Innermost first."""
    lines: dict[int, int] | None = None
    """Lines that differ from the frames' present ones, by `id` of the frame."""
    failure: m.Failure | None = None
    traceback: TracebackType | None = None
    """The traceback of the exception that ended training; None where none did."""
    left: tuple[str, ...] = ()
    """The phase that it has left, with what encloses it."""
    returning: FrameType | None = None
    """A frame to which a model's output is just being returned."""
    coming: PhaseOwner = None
    """The model or optimizer whose phase comes next, as a weak reference; None where that is not known."""
    seen: Seen | None = None
    """What was seen there already; None where nobody has looked yet."""
    inner: Describes | None = None
    """What describes the unit done, at an inner boundary; None at any other."""


def caused_by(error: BaseException, left: Left, next: FrameType | None = None, *, late: bool = False) -> Cause:
    """An exception that ends the script, or the thread that trains.

    Args:
        error: The exception.
        left: Knows which phase it has left.
        next: The frame that it comes to next, where it has not left all of them yet.
        late: It has left all of them.
    """
    whole = frames.whole_traceback(error.__traceback__, next)
    stack, lines = frames.traceback_frames(whole)
    detail = f"{type(error).__name__}: {in_words(error)}"
    told = failure(error, whole)
    if late:
        users = [place for place in torn_down(error, whole) if frames.origin(place[0]) == "user"]
        told = msgspec.structs.replace(
            told, torn_down=tuple(f"{os.path.basename(file)}:{line}" for file, line in users)
        )
    return Cause("exception", detail, stack, lines, told, whole, left.by(error, whole))
