"""Keys in turn: each is handed on when what the one before has done is done.

Textual (8.2) hands a key to the widget that has the focus at that moment. If the widget has no use for it, it comes
back to the app through the queues of all that lies around the widget, and only then its action runs and moves the
focus. Keys that come in one read, as they do over a slow link, would all go to the widget that has the focus before the
first. So the next key waits until a callback has gone the same way as the one before, and again from where the focus is
now.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from textual import events
from textual.app import App
from textual.dom import DOMNode
from textual.worker import Worker

Typed = events.Key | events.Paste

PAUSE = 0.02
"""Seconds after which a key that none has followed is looked after, so that the next one need not wait for it."""
PATIENCE = 2.0
"""Seconds that a key waits where nothing moves: behind a question that is not answered, it must not wait for ever."""
_QUIET = 2
"""Rounds more in which nothing may move the focus: what a list of a dialog says of a choice takes one of its own."""
_WAYS_OUT = ("escape", "ctrl+c", "ctrl+q")


class KeyQueue:
    """Takes the keys and pastes of the terminal, and hands them on one by one."""

    def __init__(self, app: App[int], hand_on: Callable[[Typed], Awaitable[None]]) -> None:
        """In front of an app.

        Args:
            app: The app.
            hand_on: Its own way with a key that nothing has seen yet.
        """
        self._app = app
        self._hand_on = hand_on
        self._waiting: deque[Typed] = deque()
        self._before: Typed | None = None
        """What was handed on last, as long as it is not known to be done with."""
        self._place: DOMNode = app
        """Where a callback is sent from to follow it: what had the focus then, or has it now."""
        self._left = _QUIET
        """How often a callback is still to go round, if the focus stays where it is."""
        self._walk = 0
        """The number of the callback that counts; those with a lower one are late."""
        self._on_its_way = False
        self.hops = 0
        """What the callbacks have passed so far, in all: as long as it grows, something moves."""
        self._patience: asyncio.TimerHandle | None = None

    @property
    def idle(self) -> bool:
        """Whether the last key is known to be done with, so that the next one goes on at once."""
        return self._before is None

    async def receive(self, event: Typed) -> None:
        """Hand it on: at once, if the one before is done with."""
        self._waiting.append(event)
        if self.idle:
            await self._next()
        elif len(self._waiting) == 1:
            self._be_patient()
            if not self._on_its_way:
                self._follow()

    async def _next(self) -> None:
        self._before = event = self._waiting.popleft()
        self._place, self._left = self._target(), _QUIET
        self._walk += 1
        self._on_its_way = False
        await self._hand_on(event)
        if self._waiting:
            self._follow()
        else:
            asyncio.get_running_loop().call_later(PAUSE, self._look_after, self._walk)

    def _target(self) -> DOMNode:
        """What Textual gives a key to."""
        return self._app.focused or self._app.screen

    def _look_after(self, walk: int) -> None:
        if walk == self._walk and not self._on_its_way:
            self._follow()

    def _follow(self) -> None:
        """Send a callback the way that a key takes from `_place` to the app."""
        self._walk += 1
        self._on_its_way = True
        self._pass(iter([node for node in self._place.ancestors_with_self if node is not self._app]), self._walk)

    def _pass(self, way: Iterator[DOMNode], walk: int) -> None:
        if walk != self._walk:
            return
        self.hops += 1
        for node in way:
            if node.call_later(self._pass, way, walk):  # False where it is about to go: no key passes there either
                return
        self._app.call_later(self._arrived, walk)

    async def _arrived(self, walk: int) -> None:
        """All that the key met has seen it. What came of it may have left messages where the focus is now."""
        if walk != self._walk:
            return
        self.hops += 1
        here = self._target()
        self._left = self._left - 1 if here is self._place else _QUIET - 1
        if self._left >= 0:
            self._place = here
            self._follow()
        elif not self._waiting:
            self._before, self._on_its_way = None, False
        elif work := self._work():
            self._app.run_worker(self._after(work, walk))
        else:
            await self._next()

    def _work(self) -> list[Worker[object]]:
        """What the open dialog is busy with, where the next key is for what comes of it: a preview, an edit, a search.
        The letters of a word do not wait for one another's.
        """
        event = self._waiting[0]
        letters = isinstance(event, events.Paste) or event.is_printable
        asked = isinstance(self._before, events.Key) and self._before.key == "enter"
        if len(self._app.screen_stack) == 1 or (letters and not asked):
            return []
        if isinstance(event, events.Key) and event.key in _WAYS_OUT:
            return []
        return [worker for worker in self._app.workers if worker.node is self._app.screen and not worker.is_finished]

    async def _after(self, work: list[Worker[object]], walk: int) -> None:
        await asyncio.gather(*(worker.wait() for worker in work), return_exceptions=True)
        if walk == self._walk:
            self._left = _QUIET
            self._follow()

    def _be_patient(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
        later = asyncio.get_running_loop().call_later
        self._patience = later(PATIENCE, self._app.call_later, self._lose_patience, self.hops)

    async def _lose_patience(self, hops: int) -> None:
        """Where nothing has moved, the keys go on as they would without waiting."""
        while self._waiting and hops == self.hops:
            await self._next()
        if self._waiting:
            self._be_patient()
