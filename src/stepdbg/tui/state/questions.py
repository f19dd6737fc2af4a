"""Asks what the visible panels need to know: the newest want wins, and no question is asked twice.

A slot has one question under way at most. What is wanted meanwhile waits, and only the newest of it is asked.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Protocol

from stepdbg.errors import StepdbgError
from stepdbg.protocol.messages import Query, Result
from stepdbg.tui.state.answers import Arrived, Slot
from stepdbg.tui.state.panel_queries import PanelQuery


class Asks(Protocol):
    """What answers: the connection to the hub."""

    async def ask(self, query: Query, rank: int = 0) -> Result:
        """The answer to a question, a `Refusal` among them."""
        ...


class Questions:
    """The questions of one screen."""

    def __init__(self, connection: Asks, answered: Callable[[Arrived], None], settled: Callable[[], None]) -> None:
        """Begin with nothing asked.

        Args:
            connection: Answers.
            answered: Is told every answer that is still wanted.
            settled: Is called when no question is under way any more.
        """
        self._connection = connection
        self._answered = answered
        self._settled = settled
        self._asked: dict[Slot[Result], tuple[PanelQuery, int]] = {}
        """What was asked of which rank."""
        self._under_way: dict[Slot[Result], asyncio.Task[None]] = {}
        self._next: dict[Slot[Result], tuple[PanelQuery, int, int]] = {}

    @property
    def busy(self) -> bool:
        """Whether an answer is waited for."""
        return bool(self._under_way)

    async def idle(self, seconds: float) -> None:
        """Wait until no answer is outstanding, but no longer than so many seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self._under_way:
                    await asyncio.wait(list(self._under_way.values()))

    def ask_for(self, queries: list[PanelQuery], boundary: int, rank: int) -> None:
        """Ask what is new among these."""
        for want in queries:
            if self._asked.get(want.slot) == (want, rank):
                continue
            self._asked[want.slot] = (want, rank)
            self._next[want.slot] = (want, boundary, rank)
            if want.slot not in self._under_way:
                self._under_way[want.slot] = asyncio.create_task(self._ask(want.slot))

    def forget(self) -> None:
        """Ask everything again at the next `ask_for`."""
        self._asked.clear()

    def forget_stale(self) -> None:
        """Ask again at the next `ask_for` what an edit has changed."""
        self._asked = {slot: asked for slot, asked in self._asked.items() if slot.past or not slot.stale_after_edit}

    def forget_past(self) -> None:
        """The same for what was asked of an earlier stop: the snapshot keeps none of it when that stop is left."""
        self._asked = {slot: asked for slot, asked in self._asked.items() if not slot.past}

    def close(self) -> None:
        """Give up on all that is under way."""
        for task in self._under_way.values():
            task.cancel()
        self._under_way.clear()

    async def _ask(self, slot: Slot[Result]) -> None:
        """Ask what is newest for a slot until nothing newer is wanted, and tell the last answer."""
        arrived: Arrived | None = None
        while (asked := self._next.pop(slot, None)) is not None:
            want, boundary, rank = asked
            try:
                result = await self._connection.ask(want.query, rank)
            except StepdbgError:
                break  # the hub is gone; the connection's reader says so
            # An answer that something newer is wanted for would only flicker.
            arrived = None if slot in self._next else Arrived(slot, boundary, result, rank)
        self._under_way.pop(slot, None)
        if arrived is not None:
            self._answered(arrived)
        if not self._under_way:
            self._settled()
