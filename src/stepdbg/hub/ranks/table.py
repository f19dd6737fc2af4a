"""The table of ranks: the processes of the target that were born, and those that train, each under its own number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stepdbg.hub.ranks.rank import Peer, Rank, open_page
from stepdbg.protocol.messages import Go, RankHello, State


class RankTable:
    """The target's processes, and those that are ranks.

    Args:
        folder: the session's, where the shared pages lie.
        go: how a rank begins; None: it stops at its first boundary.
    """

    def __init__(self, folder: Path, go: Go | None) -> None:
        self.ranks: dict[int, Rank] = {}
        self.go = go
        """How the next rank that joins begins."""
        self.anybody_born = False
        self.anybody_failed = False
        """Whether a process has said why it cannot be followed."""
        self._folder = folder
        self._births: dict[object, dict[str, Any]] = {}

    def __iter__(self) -> Iterator[Rank]:
        return iter(list(self.ranks.values()))

    @property
    def births(self) -> list[dict[str, Any]]:
        """What each connected process said when it was born."""
        return list(self._births.values())

    @property
    def complete(self) -> bool:
        """Whether as many ranks have joined as they say that there are."""
        return bool(self.ranks) and len(self.ranks) >= self.world

    @property
    def world(self) -> int:
        """How many ranks there are to be, as those say that have joined; 0 before any has."""
        return max((rank.hello.world for rank in self.ranks.values()), default=0)

    @property
    def state(self) -> State:
        """The state of all ranks together: that of the most interesting one."""
        states = [rank.state for rank in self.ranks.values()]
        for state in ("paused", "running", "lost"):
            if state in states:
                return state
        return "running" if states else "starting"

    @property
    def anybody_runs(self) -> bool:
        """Whether a rank runs."""
        return any(rank.state == "running" for rank in self.ranks.values())

    def born(self, process: object, birth: dict[str, Any]) -> None:
        """A Python process has started, and has said so on its connection `process`."""
        self._births[process] = birth
        self.anybody_born = True

    def joined(self, peer: Peer, hello: RankHello) -> Rank:
        """A process has come to its first boundary.

        Raises:
            ValueError: its page is none.
            OSError: its page cannot be mapped.
        """
        number = hello.rank
        while number in self.ranks and self.ranks[number].peer is not None:
            number += 1  # two trainings side by side that both call themselves rank 0
        self.ranks[number] = rank = Rank(number, hello, peer, open_page(self._folder, hello.page))
        return rank

    def of(self, process: object) -> Rank | None:
        """The rank that speaks on that connection."""
        return next((rank for rank in self.ranks.values() if rank.peer is process), None)

    def gone(self, process: object) -> Rank | None:
        """A process has hung up; the rank that it was, if it was one."""
        self._births.pop(process, None)
        return self.of(process)
