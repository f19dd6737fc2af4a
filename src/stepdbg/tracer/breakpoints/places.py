"""Breakpoints by the place that they are at: cheap enough to be asked at every boundary of a free run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stepdbg.protocol.messages import Boundary, Breakpoint


class Places:
    """The breakpoints that are switched on, sorted by what they look at."""

    def __init__(self, breakpoints: Iterable[Breakpoint] = ()) -> None:
        self._before: dict[str, list[Breakpoint]] = {}
        self._after: dict[str, list[Breakpoint]] = {}
        self._opening: list[Breakpoint] = []
        """Those of updates and epochs."""
        for point in breakpoints:
            if not point.enabled or point.file:
                continue
            if point.phase is not None:
                (self._before if point.when == "before" else self._after).setdefault(point.phase, []).append(point)
            else:
                self._opening.append(point)
        self.any = bool(self._before or self._after or self._opening)
        self.watched = frozenset((*self._before, *self._after))
        """The phases of which there are any."""
        self.owned = frozenset(name for name, those in self._after.items() if any(point.of for point in those))
        """The phases that have any after them which is of an owner of that name only."""

    def at(self, boundary: Boundary, *, sure: bool = True) -> Iterator[Breakpoint]:
        """Those whose place this is; one *before* a phase is not where that phase is only a guess."""
        if boundary.opens is not None:
            for point in self._opening:
                if _counts(point, boundary.opens, boundary.epoch):
                    yield point
        coming = boundary.opens or boundary.update
        if sure and boundary.next is not None and not (boundary.next == boundary.done == "eval"):
            for point in self._before.get(boundary.next, ()):
                if _counts(point, coming, boundary.epoch):
                    yield point
        if boundary.done is not None:
            for point in self._after.get(boundary.done, ()):
                if _counts(point, boundary.update, boundary.epoch):
                    yield point

    def near(self, name: str, ended: str, update: int) -> Iterator[Breakpoint]:
        """Those whose place may be where that phase begins, as far as is known without a look at the order of phases.

        Args:
            name: The phase that begins.
            ended: One that has just ended, of those that are watched; empty for none.
            update: The update that training is in: the phase may open the next one.
        """
        for point in (*self._before.get(name, ()), *self._after.get(ended, ()), *self._opening):
            if any(_counts(point, one, point.epoch) for one in (update, update + 1)):
                yield point

    def updates_ahead(self, update: int) -> int | None:
        """How many updates can open after that one before the place of one comes; None where there is no limit."""
        ahead = None
        for point in self._opening:
            if point.update is not None:
                left = point.update - update if point.update > update else None
            elif point.every is not None:
                left = point.every - update % point.every
            else:
                left = 1  # an epoch may begin with any update
            if left is not None and (ahead is None or left < ahead):
                ahead = left
        return None if ahead is None else ahead - 1

    def before(self, phase: str) -> tuple[Breakpoint, ...]:
        """Those before that phase."""
        return tuple(self._before.get(phase, ()))

    @property
    def followed(self) -> frozenset[str]:
        """The phases that have one after them."""
        return frozenset(self._after)

    def foreseen(self, phase: str, following: str | None, update: int, last: bool) -> bool:
        """Whether training will stop at the end of `phase` for one of them, if `following` comes next.

        What has a condition, or only notes a message, is not foreseen: to look before each phase costs too much.
        """
        points = [*self._after.get(phase, ()), *(self._before.get(following, ()) if following else ())]
        if any(_is_plain(point) and _counts(point, update, point.epoch) for point in points):
            return True
        return last and any(_is_plain(point) and _counts(point, update + 1, point.epoch) for point in self._opening)


def _counts(point: Breakpoint, update: int, epoch: int | None) -> bool:
    """Whether the update and the epoch are those that the breakpoint is for."""
    if point.update is not None and point.update != update:
        return False
    if point.every is not None and update % point.every:
        return False
    return point.epoch is None or point.epoch == epoch


def _is_plain(point: Breakpoint) -> bool:
    """Whether nothing but its place decides whether training stops for that breakpoint."""
    return not (point.condition or point.log)
