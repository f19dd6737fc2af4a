"""Breakpoints by the place that they are at: cheap enough to be asked at every boundary of a free run."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator

from stepdbg.protocol.messages import Boundary, Breakpoint


class Places:
    """The breakpoints that are switched on, sorted by what they look at."""

    def __init__(self, breakpoints: Iterable[Breakpoint] = (), epoch: int | None = None) -> None:
        """Sort them.

        Args:
            breakpoints: All that are of this process.
            epoch: The epoch that training is in.
        """
        self._epoch = epoch
        """The epoch in which an update opened last, as far as was looked."""
        self._before: dict[str, list[Breakpoint]] = {}
        self._after: dict[str, list[Breakpoint]] = {}
        self._opening: list[Breakpoint] = []
        """Those of updates and epochs."""
        self._foretold: list[Breakpoint] = []
        """Those of phases at which training stops whatever holds there: the phase before is looked at too, since a stop
        tells what it did."""
        self._timed: list[Breakpoint] = []
        """Those that are met after a moment."""
        for point in breakpoints:
            if not point.enabled or point.line is not None:
                continue
            if point.time is not None:
                self._timed.append(point)
            elif point.phase is not None:
                (self._before if point.when == "before" else self._after).setdefault(point.phase, []).append(point)
                if _is_plain(point):
                    self._foretold.append(point)
            else:
                self._opening.append(point)
        self.any = bool(self._before or self._after or self._opening or self._timed)
        self.watched = frozenset((*self._before, *self._after))
        """The phases of which there are any."""
        self.followed = frozenset(self._after)
        """The phases that have any after them."""
        self.owned = frozenset(name for name, those in self._after.items() if any(point.of for point in those))
        """The phases that have any after them which is of an owner of that name only."""

    def at(self, boundary: Boundary, epoch: int | None, *, sure: bool = True) -> Iterator[Breakpoint]:
        """Those whose place this is; one *before* a phase is not where that phase is only a guess.

        Args:
            boundary: The boundary.
            epoch: The epoch of the phase that comes next.
            sure: Whether it is known what comes next.
        """
        yield from self._due()
        if boundary.opens is not None:
            entered, self._epoch = epoch != self._epoch, epoch
            for point in self._opening:
                if counts(point, boundary.opens, epoch) and (entered or not _opens_epoch(point)):
                    yield point
        coming = boundary.opens or boundary.update
        if sure and boundary.next is not None and not (boundary.next == boundary.done == "eval"):
            for point in self._before.get(boundary.next, ()):
                if counts(point, coming, epoch):
                    yield point
        if boundary.done is not None:
            for point in self._after.get(boundary.done, ()):
                if counts(point, boundary.update, boundary.epoch):
                    yield point

    def near(self, name: str, ended: str, update: int) -> Iterator[Breakpoint]:
        """Those whose place may be where that phase begins, as far as is known without a look at the order of phases;
        and those that may be met where it ends, if that is to be foretold.

        Args:
            name: The phase that begins.
            ended: One that has just ended, of those that are watched; empty for none.
            update: The update that training is in: the phase may open the next one.
        """
        yield from self._due()
        here = (*self._before.get(name, ()), *self._after.get(ended, ()))
        for point in (*here, *self._opening, *self._foretold):
            if any(counts(point, one, point.epoch) for one in (update, update + 1)):
                yield point

    def _due(self) -> Iterator[Breakpoint]:
        """Those whose moment has come."""
        for point in self._timed:
            if point.time is not None and time.time() >= point.time:
                yield point

    def updates_ahead(self, update: int) -> int | None:
        """How many updates can open after that one before one is near; None where there is no limit."""
        lefts = [left for point in self._opening if (left := _left(point, update, opens=True)) is not None]
        lefts += [left for point in self._foretold if (left := _left(point, update, opens=False)) is not None]
        return max(0, min(lefts) - 1) if lefts else None

    def watched_near(self, update: int) -> frozenset[str]:
        """The phases that must not be only noted from now on, while no more than `updates_ahead` updates open."""
        near = set[str]()
        for name, points in (*self._before.items(), *self._after.items()):
            if any(not _is_plain(point) or not _left(point, update, opens=False) for point in points):
                near.add(name)
        return frozenset(near)

    def before(self, phase: str) -> tuple[Breakpoint, ...]:
        """Those before that phase."""
        return tuple(self._before.get(phase, ()))

    def after(self, phase: str) -> tuple[Breakpoint, ...]:
        """Those after that phase."""
        return tuple(self._after.get(phase, ()))

    def foreseen(self, phase: str, following: str | None, update: int, last: bool) -> bool:
        """Whether training will stop at the end of `phase` for one of them, if `following` comes next.

        What has a condition, or only notes a message, is not foreseen: to look before each phase costs too much.
        """
        points = [*self._after.get(phase, ()), *(self._before.get(following, ()) if following else ())]
        if any(_is_plain(point) and counts(point, update, point.epoch) for point in points):
            return True
        return last and any(_is_plain(point) and counts(point, update + 1, point.epoch) for point in self._opening)


def counts(point: Breakpoint, update: int, epoch: int | None) -> bool:
    """Whether the update and the epoch are those that the breakpoint is for."""
    if point.update is not None and point.update != update:
        return False
    if point.every is not None and update % point.every:
        return False
    return point.epoch is None or point.epoch == epoch


def _opens_epoch(point: Breakpoint) -> bool:
    """Whether a breakpoint is met once in its epoch, where that opens."""
    return point.update is None and point.every is None


def _is_plain(point: Breakpoint) -> bool:
    """Whether nothing but its place decides whether training stops for that breakpoint."""
    return not (point.condition or point.log)


def _left(point: Breakpoint, update: int, *, opens: bool) -> int | None:
    """How many updates open until the one that a breakpoint is for; None where that one is behind.

    Args:
        point: The breakpoint; any update may be its own where it names none.
        update: The update that training is in.
        opens: Whether it is met where an update opens, and so not in this one any more.
    """
    if point.update is not None:
        left = point.update - update
        return left if left > 0 or (left == 0 and not opens) else None
    if point.every is not None:
        rest = update % point.every
        return point.every - rest if rest or opens else 0
    return 0
