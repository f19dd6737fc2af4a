"""What the fake debuggee decides on: whether a breakpoint is met, and what a phase did to what is alive."""

from __future__ import annotations

from stepdbg.protocol.messages import Boundary, Breakpoint, Effect, Kind, What
from stepdbg.testing.inspection import Held

Fingerprints = dict[str, tuple[int, int, int]]
"""Identity, version and hash of the numbers, by name."""


def fingerprints(alive: dict[str, Held]) -> Fingerprints:
    """What is to be compared later."""
    return {
        name: (held.tensor.identity, held.tensor.version, hash(held.tensor.values.tobytes()))
        for name, held in alive.items()
    }


def effects_between(before: Fingerprints, alive: dict[str, Held]) -> list[Effect]:
    """What has happened to the objects since `before` was taken, those of one kind together."""
    now = fingerprints(alive)
    named = [Effect(name, alive[name].kind, what) for name in now if (what := _fate(before.get(name), now[name]))]
    named += [Effect(name, _kind_of_freed(name), "freed") for name in before if name not in now]
    named.sort(key=lambda effect: (effect.kind != "parameter", effect.kind))
    return named


def meets(breakpoint: Breakpoint, boundary: Boundary) -> bool:
    """Whether training stops for `breakpoint` at `boundary`."""
    opening = boundary.opens or boundary.update
    if breakpoint.phase is None:
        return breakpoint.update is not None and boundary.opens == breakpoint.update
    if breakpoint.when == "before":
        return boundary.next == breakpoint.phase and breakpoint.update in (None, opening)
    return boundary.done == breakpoint.phase and breakpoint.update in (None, boundary.update)


def _fate(before: tuple[int, int, int] | None, now: tuple[int, int, int]) -> What | None:
    if before is None or before[0] != now[0]:
        return "created"
    if before[2] != now[2]:
        return "changed"
    return "touched" if before[1] != now[1] else None


def _kind_of_freed(name: str) -> Kind:
    if name.endswith(".grad"):
        return "grad"
    return "state" if name.startswith("optimizer.") else "output"
