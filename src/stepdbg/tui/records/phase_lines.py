"""At which lines the phases were seen to be called: learned from the stops, so that a line can be told its phase."""

from __future__ import annotations

from stepdbg.protocol.messages import Stop

Place = tuple[str, int]
"""File and line."""
PhaseLines = dict[Place, tuple[str, ...]]
"""The phases of a line, the one that begins there first."""


def learned(known: PhaseLines, stop: Stop | None) -> PhaseLines:
    """What is known after a stop."""
    if stop is None:
        return known
    boundary = stop.boundary
    found = dict(known)
    if boundary.next and stop.line_next and not boundary.predicted:
        _add(found, stop.line_next, boundary.next, first=True)
    if boundary.done and stop.line_done and not any(boundary.done in names for names in found.values()):
        _add(found, stop.line_done, boundary.done, first=False)
    return found if found != known else known


def latest(known: Place | None, stop: Stop | None) -> Place | None:
    """The line of the last stop that had one: what is left to be shown of a script that ended."""
    return (stop.line_next or stop.line_done or known) if stop is not None else known


def _add(found: PhaseLines, place: Place, phase: str, *, first: bool) -> None:
    names = tuple(name for name in found.get(place, ()) if name != phase or not first)
    if phase not in names:
        found[place] = (phase, *names) if first else (*names, phase)
