"""Which frame of the stop is looked at: the user's own are walked through, those of libraries are folded away."""

from __future__ import annotations

from msgspec.structs import replace

from stepdbg.protocol.messages import Frame, Stop
from stepdbg.tui.state.snapshot import Snapshot

NONE = -1
"""The frame of a stop that has none, the end of the script: its variables are those of `__main__`."""


def shown(snapshot: Snapshot) -> tuple[int, ...]:
    """The places in `Stop.frames` that `u` and `d` go through, innermost first."""
    stop = snapshot.stop
    if stop is None:
        return ()
    everything = tuple(range(len(stop.frames)))
    own = tuple(place for place in everything if not stop.frames[place].library)
    return everything if snapshot.unfolded or not own else own


def folded(snapshot: Snapshot) -> int:
    """How many frames are folded away."""
    stop = snapshot.stop
    return len(stop.frames) - len(shown(snapshot)) if stop else 0


def has_libraries(snapshot: Snapshot) -> bool:
    """Whether there is something to fold away, or to unfold."""
    stop = snapshot.stop
    return stop is not None and len({frame.library for frame in stop.frames}) > 1


def chosen(snapshot: Snapshot) -> int:
    """The place of the frame that is looked at: the user's innermost one until another is chosen."""
    places = shown(snapshot)
    if snapshot.frame in places and snapshot.frame_at == snapshot.boundary:
        return snapshot.frame
    return innermost(snapshot.stop)


def innermost(stop: Stop | None) -> int:
    """The place of the user's innermost frame; of the innermost, where none is the user's."""
    if stop is None or not stop.frames:
        return NONE
    return next((place for place, frame in enumerate(stop.frames) if not frame.library), 0)


def chosen_frame(snapshot: Snapshot) -> Frame | None:
    """The frame that is looked at."""
    place = chosen(snapshot)
    return snapshot.stop.frames[place] if snapshot.stop and place != NONE else None


def walked(snapshot: Snapshot, step: int) -> Snapshot:
    """The snapshot with another frame in view, `step` frames outwards (inwards, if negative)."""
    places = shown(snapshot)
    if not places:
        return snapshot
    here = places.index(chosen(snapshot)) + step
    return looking_at_frame(snapshot, places[max(0, min(here, len(places) - 1))])


def looking_at_frame(snapshot: Snapshot, place: int) -> Snapshot:
    """The snapshot with the frame at a place of `Stop.frames` in view, until the next stop."""
    return replace(snapshot, frame=place, frame_at=snapshot.boundary, line_in_view=None)


def unfolded(snapshot: Snapshot) -> Snapshot:
    """The frames of libraries too, or no more."""
    return replace(snapshot, unfolded=not snapshot.unfolded)


def in_words(frame: Frame | None) -> str:
    """`train:41`; `__main__` at the end of the script."""
    return f"{frame.function}:{frame.line}" if frame else "__main__"
