"""Whether a boundary is one to stop at: cheap enough to be asked at every boundary of a free run."""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import Boundary, Breakpoint


class Breakpoints:
    """The breakpoints that are switched on, sorted by what they look at."""

    def __init__(self, breakpoints: Iterable[Breakpoint] = ()) -> None:
        self._before: dict[str, list[Breakpoint]] = {}
        self._after: dict[str, list[Breakpoint]] = {}
        self._updates: dict[int, Breakpoint] = {}
        for point in breakpoints:
            if not point.enabled:
                continue
            if point.phase is not None:
                (self._before if point.when == "before" else self._after).setdefault(point.phase, []).append(point)
            elif point.update is not None:
                self._updates[point.update] = point
        self.any = bool(self._before or self._after or self._updates)

    def met(self, boundary: Boundary, *, sure: bool = True) -> Breakpoint | None:
        """The breakpoint that is met here; one *before* a phase is not met where that phase is only a guess."""
        if boundary.opens is not None and boundary.opens in self._updates:
            return self._updates[boundary.opens]
        coming = boundary.opens or boundary.update
        if sure and boundary.next is not None and not (boundary.next == boundary.done == "eval"):
            for point in self._before.get(boundary.next, ()):
                if point.update in (None, coming):
                    return point
        if boundary.done is not None:
            for point in self._after.get(boundary.done, ()):
                if point.update in (None, boundary.update):
                    return point
        return None

    def foreseen(self, phase: str, following: str | None, update: int, last: bool) -> bool:
        """Whether the boundary at the end of `phase` will be one, if `following` comes next."""
        points = [*self._after.get(phase, ()), *(self._before.get(following, ()) if following else ())]
        return bool(points) or (last and update + 1 in self._updates)


class Closures:
    """A breakpoint before a step with a closure: met once, where the closure has returned.

    Before the step the gradients are those of the update before; the update happens after the closure.
    """

    def __init__(self) -> None:
        self.ahead = False
        """Whether the step that is about to begin has a closure."""
        self.deferred = False
        """Whether a breakpoint before that step is still to be met."""

    def defer(self, point: Breakpoint, boundary: Boundary) -> bool:
        """Whether a breakpoint that is met at this boundary is to be met elsewhere, or was."""
        if (point.phase, point.when, boundary.next) != ("step", "before", "step"):
            return False
        if self.ahead:
            self.deferred = True
            return True
        deferred, self.deferred = self.deferred, False
        return "step" in boundary.inside and not deferred


def in_words(point: Breakpoint) -> str:
    """`breakpoint 2: before backward at update 40`."""
    parts = [f"{point.when} {point.phase}"] if point.phase else []
    if point.update is not None:
        parts.append(f"at update {point.update}" if parts else f"update {point.update}")
    return f"breakpoint {point.number}: {' '.join(parts)}"
