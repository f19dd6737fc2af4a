"""What comes next, by the order of the phases in the last complete update; by the usual order before there is one."""

from __future__ import annotations

from collections.abc import Sequence

from stepdbg.tracer.phases.phase import Phase

USUAL_ORDER = ("data", "zero_grad", "forward", "loss", "backward", "step")
"""What is foretold while nothing has been learned."""


def names_at(phases: Sequence[Phase], inside: tuple[str, ...], *, evaluations: bool) -> list[str]:
    """The names of those phases that lie inside these calls and are part of the order.

    Args:
        phases: Phases that are done.
        inside: The names of the calls that are open, outermost first.
        evaluations: Whether evaluations are part of the order.
    """
    return [
        phase.name
        for phase in phases
        if phase.inside == inside and (phase.in_order or (evaluations and phase.name == "eval"))
    ]


def follows(phase: str, before: list[str], done: list[str], *, inside: bool, evaluations: bool) -> str | None:
    """What followed on that phase in the last update; None where nothing is known to follow.

    Args:
        phase: The phase, done last or about to begin.
        before: The phases of the last complete update, at the level where training is.
        done: The phases of this update at that level, up to and with the phase itself.
        inside: Whether a call is open at that level.
        evaluations: Whether evaluations are part of the order, as between a forward and its backward.
    """
    done, skipped = [*done], 0
    while evaluations and done and done[-1] == "eval":
        skipped += 1
        done.pop()
    if skipped and done:
        phase = done[-1]
    places = [place for place, name in enumerate(before) if name == phase]
    if places:
        place = places[min(max(done.count(phase), 1), len(places)) - 1] + 1
        while skipped and place < len(before) and before[place] == "eval":
            skipped -= 1
            place += 1
        if place < len(before):
            return before[place]
        return None if inside else before[0]
    if before or phase not in USUAL_ORDER:
        return None
    return USUAL_ORDER[(USUAL_ORDER.index(phase) + 1) % len(USUAL_ORDER)]


def first_of(phases: Sequence[Phase]) -> str | None:
    """The phase that the order of an update begins with; None where the update had none."""
    return next((phase.name for phase in phases if phase.in_order and phase.outer is None), None)


def last_of(phases: Sequence[Phase]) -> str | None:
    """The phase that the order of an update ends with; None where the update had none."""
    return next((phase.name for phase in reversed(phases) if phase.in_order and phase.outer is None), None)
