"""Where training is in the rounds of the user's own loops: what the author of a loop calls an iteration.

A round is over when a loop around the call of `step` goes round. That is seen from where the user's code, and a
library's, stands: the frames on the stack, each at an instruction, held against those of the newest step. So a
`zero_grad` or a scheduler that ends a round is told from one that begins the next, and the rounds of a loop inside
(five steps of a critic) from those of the loop around it.

Frames are walked only where a boundary goes the long way; a free run goes by the order of phases that this has taught
(`tracker.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable
from types import CodeType, FrameType

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.loops import Loop, loops_of
from stepdbg.tracer.phases.optimizers_in_use import place_of
from stepdbg.tracer.phases.tracker import BY_HAND, PhaseTracker
from stepdbg.tracer.phases.turns import Turn

Path = tuple[tuple[CodeType, int], ...]
"""The functions that run, outermost first, each with the place where it is."""

_MANY = 128
"""After so many steps without those of another optimizer they are no part of a round with it."""


def path_of(frame: FrameType | None) -> Path:
    """The path to the code that has called into ours."""
    path = [(one.f_code, one.f_lasti) for one in frames.stack(frame)]
    return tuple(reversed(path))


class Rounds:
    """The places in the user's loops where each optimizer has stepped."""

    def __init__(self, phases: PhaseTracker) -> None:
        self._phases = phases
        self._update = 0
        self._newest: Path | None = None
        self._sites: dict[Hashable, Path] = {}
        self._steps = 0
        """The number of steps in this update."""
        self._unseen = False
        """Whether phases have gone by of which only the order is known."""

    def begins(self, phase: str, optimizer: Hashable, frame: FrameType | None) -> Turn | None:
        """What has gone round when a phase begins that somebody's code, in that frame, calls for."""
        phases, optimizers = self._phases, self._phases.optimizers
        if phase != "step" and not optimizers.stepped:
            return None
        path = path_of(frame)
        if self._unseen:
            self._newest, self._unseen = self._sites.get(optimizers.newest), False
        place = place_of(phase, optimizers.newest, frames.calling(frame))
        optimizers.place = place, tuple(code for code, _ in path)
        turn = self.turn(phase, path, optimizers.all, optimizers.unused) if optimizers.stepped else None
        if phase == "step" and not phases.within("step"):
            if self._update != phases.update:
                self._update, self._steps = phases.update, 0
            self._steps += 1
            self._newest = self._sites[optimizer if optimizer is not None else BY_HAND] = path
            optimizers.unsure = False
        return turn

    def over(self, frame: FrameType | None) -> bool:
        """Whether nothing trains any more in this round, as far as the loops tell."""
        optimizers = self._phases.optimizers
        return self.turn("data", path_of(frame), optimizers.all, optimizers.unused) in ("over", "inner")

    def forget(self) -> None:
        """What follows is not seen: an optimizer is taken to step where it did before."""
        self._unseen = True

    def turn(
        self, phase: str, path: Path, optimizers: Collection[Hashable], unused: Collection[Hashable] = ()
    ) -> Turn | None:
        """What has gone round since the newest step; None where no loop tells.

        Args:
            phase: The one that begins.
            path: Where.
            optimizers: Those that are in use.
            unused: Those that were made and have never stepped.
        """
        before = self._newest
        if before is None or not path:
            return None
        shared = _common(before, path)
        for depth in range(min(shared, len(before) - 1, len(path) - 1), -1, -1):
            code, here = before[depth]
            if path[depth][0] is not code:  # another function called in the same place
                continue
            loops, there = loops_of(code), path[depth][1]
            around = loops.around(here, there)
            if loops.leads(here, there):
                again = phase == "backward" or self._trains_ahead(path, depth, around[0] if around else None)
                left = len(loops.around(here)) > len(around)
                for_good = not around and not self._in_a_loop(path[:depth])
                if again and for_good and (left or self._in_a_loop(before[depth + 1 :])):
                    return "next"  # that loop, or one of a function that has returned, was left: another stage
                if left or (again and self._others_take_part(path, unused)):
                    return "inner"
                if again and self._another_ahead(path, depth, around):
                    return "inner"
                return "again" if again else "over"
            if around:
                if phase == "data" and loops.starts(around[0], there):
                    return "next"  # `for batch in loader`
                return self._gone_round(path, depth, around, here, optimizers)
        return None

    def _gone_round(
        self, path: Path, depth: int, around: list[Loop], here: int, optimizers: Collection[Hashable]
    ) -> Turn | None:
        loop, loops = around[0], loops_of(path[depth][0])
        if self._steps > _MANY:
            return "next"
        if len(optimizers) < 2:
            inner = around[1:] or self._in_a_loop(path[:depth])
            return "inner" if inner and self._another_ahead(path, depth, around[1:], beyond=loop) else "next"
        if loops.binds_receiver(loop, here):
            return None  # each round steps another one of them
        unknown = False
        for optimizer in optimizers:
            site = self._sites.get(optimizer)
            if site is None:
                unknown = True
            elif not self._holds(loop, path, depth, site) and self._may_come_again(path, site):
                return "inner"
        if not unknown:
            return "next"
        steps = [place for place in loops.steps() if loops.position(place)[0] != loops.position(here)[0]]
        if any(loop.holds(loops.position(place)) for place in steps):
            return "next"
        outside = any(outer.holds(loops.position(place)) for outer in around[1:] for place in steps)
        return "inner" if outside else "next"

    def _others_take_part(self, path: Path, unused: Collection[Hashable]) -> bool:
        """Whether a round holds steps of several optimizers, as far as is known."""
        around = [one for one, site in self._sites.items() if self._may_come_again(path, site)]
        return len(around) + len(unused) > 1

    def _another_ahead(self, path: Path, depth: int, around: list[Loop], beyond: Loop | None = None) -> bool:
        """Whether an optimizer that is not made yet steps later in this round: `backward` is ahead, and a `step` of
        something else than stepped last, and none of that.

        Args:
            path: Where.
            depth: Of the function from which on the code ahead counts.
            around: The loops there that hold the round.
            beyond: A loop in it, in which nothing counts.
        """
        code, place = (self._newest or path)[-1]
        mine, within = loops_of(code).stepped_at(place), around[0] if around else None
        if mine is None or not self._trains_ahead(path, depth, within, beyond):
            return False
        ahead: set[str | None] = set()
        for level, (code, place) in enumerate(path):
            if level == depth or (level > depth and beyond is None):
                ahead |= loops_of(code).steps_ahead(place, within if level == depth else None, beyond)
        return bool(ahead) and ahead.isdisjoint((mine, None))

    def _trains_ahead(self, path: Path, depth: int, loop: Loop | None, beyond: Loop | None = None) -> bool:
        """Whether `backward` may still be called in this round, in the functions from that depth on."""
        return any(
            loops_of(code).calls_ahead(place, "backward", loop if level == depth else None, beyond)
            for level, (code, place) in enumerate(path)
            if level == depth or (level > depth and beyond is None)
        )

    def _holds(self, loop: Loop, path: Path, depth: int, site: Path) -> bool:
        """Whether an optimizer steps within that loop, which the function at that depth has."""
        return (
            len(site) > depth
            and site[:depth] == path[:depth]
            and site[depth][0] is path[depth][0]
            and loop.holds(loops_of(site[depth][0]).position(site[depth][1]))
        )

    def _may_come_again(self, path: Path, site: Path) -> bool:
        """Whether any loop leads from here back to where an optimizer has stepped."""
        shared = _common(path, site)
        if self._in_a_loop(path[:shared]):
            return True
        if shared >= min(len(path), len(site)) or path[shared][0] is not site[shared][0]:
            return False
        return bool(loops_of(path[shared][0]).around(path[shared][1], site[shared][1]))

    def _in_a_loop(self, path: Path) -> bool:
        return any(loops_of(code).around(place) for code, place in path)


def _common(one: Path, other: Path) -> int:
    """How many functions, from the outermost, stand at the same place in both."""
    count = 0
    for mine, theirs in zip(one, other, strict=False):
        if mine[0] is not theirs[0] or mine[1] != theirs[1]:
            break
        count += 1
    return count
