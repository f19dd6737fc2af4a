"""The line under the header where several processes train: every rank, what it is in, and which one is shown.

Ranks that are in the same state stand together. Where the line is too narrow for phases, it tells the states alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from stepdbg.protocol.messages import RankState
from stepdbg.tui.drawing.lines import UNICODE, Glyphs, Line, Span, clipped, plain, width_of
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.targets import RankTarget
from stepdbg.tui.words.inside_phase import position

LONG = 2.0
"""Seconds in one phase after which it is told for how long."""
_ROLES = {"paused": "accent", "running": "running", "lost": "error"}


class _Group(NamedTuple):
    """Ranks in the same state."""

    numbers: tuple[int, ...]
    state: str
    phase: str = ""
    """`before backward`, `in backward`; empty where there is none, or no room."""
    seconds: float = 0.0
    """The longest that one of them has been in that phase."""

    @property
    def words(self) -> str:
        """`running in backward for 14 s`."""
        long = f" for {self.seconds:.0f} s" if self.seconds >= LONG else ""
        return f"{self.state} {self.phase}{long}".rstrip()


def several(snapshot: Snapshot) -> bool:
    """Whether there is more than one rank to tell apart."""
    return len(snapshot.session.ranks) > 1


def draw(snapshot: Snapshot, width: int, glyphs: Glyphs = UNICODE) -> Line:
    """The line, at most `width` cells."""
    full = _line(_grouped(snapshot, lambda rank: _where(snapshot, rank)), snapshot.rank, glyphs)
    if width_of(full) <= width:
        return full
    short = _line(_grouped(snapshot, lambda rank: _Group((rank.rank,), rank.state)), snapshot.rank, glyphs)
    return clipped(short, width, glyphs.ellipsis)


def _where(snapshot: Snapshot, rank: RankState) -> _Group:
    alone = (rank.rank,)
    if rank.state == "paused" and rank.stop is not None:
        if rank.stop.failure is not None:
            return _Group(alone, "paused", f"on {plain(rank.stop.failure.type)}")
        if rank.stop.inner is not None:
            return _Group(alone, "paused", position(rank.stop))
        following = rank.stop.boundary.next
        return _Group(alone, "paused", f"before {plain(following)}" if following else "at the end")
    if rank.state == "running":
        progress = snapshot.of_rank(rank.rank).progress
        if progress is not None and progress.phase:
            return _Group(alone, "running", f"in {plain(progress.phase)}", progress.phase_seconds)
    return _Group(alone, rank.state)


def _grouped(snapshot: Snapshot, where: Callable[[RankState], _Group]) -> list[_Group]:
    """In order of the first of each; the rank that is shown stands alone."""
    groups: dict[tuple[object, ...], _Group] = {}
    for rank in snapshot.session.ranks:
        one = where(rank)
        key = (rank.rank == snapshot.rank, one.state, one.phase)
        known = groups.get(key)
        if known is not None:
            one = one._replace(numbers=known.numbers + one.numbers, seconds=max(known.seconds, one.seconds))
        groups[key] = one
    return list(groups.values())


def _line(groups: list[_Group], shown: int, glyphs: Glyphs) -> Line:
    spans = [Span(" ranks", "dim")]
    for index, group in enumerate(groups):
        if index:
            spans.append(Span(f" {glyphs.dot}", "dim"))
        for run in _runs(group.numbers):
            here = glyphs.cursor if group.numbers == (shown,) else ""
            words = f"{run[0]}-{run[-1]}" if len(run) > 2 else " ".join(map(str, run))
            spans.append(Span(f" {here}{words}", "strong", RankTarget(run[0])))
        spans.append(Span(f" {group.words}", _ROLES.get(group.state, "dim"), RankTarget(group.numbers[0])))
    return tuple(spans)


def _runs(numbers: tuple[int, ...]) -> list[list[int]]:
    """Numbers that follow each other, together where there are more than two."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [part for run in runs for part in ([run] if len(run) > 2 else [[number] for number in run])]
