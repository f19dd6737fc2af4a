"""The session's breakpoints: numbered, switched, counted."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import msgspec

from stepdbg.errors import UsageError
from stepdbg.listing.ranks import no_rank
from stepdbg.protocol.breakpoint_text import check_condition, check_log, same_place
from stepdbg.protocol.messages import Breakpoint

MOST = 500
"""Breakpoints of one session."""
LONGEST = 4000
"""Characters of a phase's name, another name, a condition, a message and a file together."""


class BreakpointTable:
    """All breakpoints in the order of their numbers."""

    def __init__(self, first: tuple[Breakpoint, ...] = ()) -> None:
        self._next = 1
        self.all: tuple[Breakpoint, ...] = ()
        self._without_rank: frozenset[int] = frozenset()
        """Those of a rank that has not been met, by number."""
        for breakpoint in first:
            self.add(breakpoint)

    def add(self, wanted: Breakpoint) -> str:
        """Add one, or switch on the one that is there already.

        Returns:
            Why it was not added; empty where it was.
        """
        places = (wanted.phase, wanted.update, wanted.every, wanted.epoch, wanted.line, wanted.watch)
        if not (wanted.first_bad or wanted.finding) and all(place is None for place in places):
            return "a breakpoint needs a phase, an update, an epoch, a line or a value to watch"
        watched = wanted.watch.name if wanted.watch is not None else ""
        words = (wanted.phase or "", wanted.of, wanted.condition, wanted.log, wanted.file, watched)
        if sum(len(one) for one in words) > LONGEST:
            return f"a breakpoint of more than {LONGEST:,} characters is not set"
        try:
            if wanted.condition:
                check_condition(wanted.condition)
            if wanted.log:
                check_log(wanted.log)
        except UsageError as error:
            return str(error)
        for breakpoint in self.all:
            if same_place(breakpoint, wanted):
                self._change(breakpoint.number, enabled=True, ignore=wanted.ignore, once=wanted.once)
                return ""
        if wanted.goal:
            self.all = tuple(one for one in self.all if not one.goal)
        if len(self.all) >= MOST:
            return f"{MOST} breakpoints are the most"
        fresh = {"number": self._next, "hits": 0, "problem": "", "remark": "", "met_nothing": False}
        self.all += (msgspec.structs.replace(wanted, **fresh),)
        self._next += 1
        return ""

    def switch(self, number: int, enabled: bool) -> None:
        """Switch one on or off."""
        self._change(number, enabled=enabled)

    def remove(self, number: int) -> None:
        """Forget one."""
        self.all = tuple(breakpoint for breakpoint in self.all if breakpoint.number != number)

    def hit(self, number: int, *, stopped: bool = True) -> None:
        """Count that one was met; a temporary one that has `stopped` training is removed."""
        self.all = tuple(
            msgspec.structs.replace(one, hits=one.hits + 1) if one.number == number else one
            for one in self.all
            if not (one.number == number and one.once and stopped)
        )

    def note_problem(self, number: int, problem: str) -> None:
        """Keep why one cannot be met, or what its condition has raised."""
        self._change(number, problem=problem)

    def note_remark(self, number: int, remark: str) -> None:
        """Keep what is to be known of how the condition of one is evaluated."""
        self._change(number, remark=remark)

    def note_unmet(self, numbers: Collection[int], rank: int) -> None:
        """What these name has not been met in this run by that rank; what all others of that rank name has."""
        self.all = tuple(
            msgspec.structs.replace(one, met_nothing=one.number in numbers) if one.rank in (None, rank) else one
            for one in self.all
        )

    def note_ranks(self, met: Collection[int], world: int) -> tuple[Breakpoint, ...]:
        """Keep which are of a rank that there is not, or that has not been met yet.

        Args:
            met: The numbers of the ranks that have been met.
            world: How many ranks there are to be.

        Returns:
            Those that are found now to be of a rank that there is not, with that as their problem.
        """
        waiting = frozenset(one.number for one in self.all if met and one.rank is not None and one.rank not in met)
        found = []
        for one in self.all:
            if one.number in waiting:
                problem = no_rank(one.rank, met, world)
                self._change(one.number, problem=problem, met_nothing=not problem)
                if problem and one.enabled and problem != one.problem:
                    found.append(msgspec.structs.replace(one, problem=problem))
            elif one.number in self._without_rank:
                self._change(one.number, problem="", met_nothing=False)
        self._without_rank = waiting
        return tuple(found)

    def begin_anew(self) -> None:
        """A new run counts from 0, knows of no problem, and is on the way to nowhere."""
        fresh = {"hits": 0, "problem": "", "remark": "", "met_nothing": False}
        self._without_rank = frozenset()
        self.all = tuple(msgspec.structs.replace(one, **fresh) for one in self.all if not one.goal)

    def _change(self, number: int, **how: Any) -> None:
        self.all = tuple(msgspec.structs.replace(one, **how) if one.number == number else one for one in self.all)
