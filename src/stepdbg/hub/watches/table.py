"""The session's watches: numbered, switched, kept over a restart."""

from __future__ import annotations

from typing import Any

import msgspec

from stepdbg.errors import UsageError
from stepdbg.protocol.messages import Watch
from stepdbg.protocol.watch_text import read_watch

MOST = 50
"""Watches of one session."""


class WatchTable:
    """All watches in the order of their numbers, which are never given twice."""

    def __init__(self, first: tuple[Watch, ...] = ()) -> None:
        self._next = 1
        self.all: tuple[Watch, ...] = ()
        for watch in first:
            self.add(watch.expression, enabled=watch.enabled)

    def add(self, text: str, *, enabled: bool = True) -> str:
        """Add one, or switch on the one that is there already.

        Returns:
            Why it was not added; empty where it was.
        """
        try:
            expression = read_watch(text)
        except UsageError as error:
            return str(error)
        for watch in self.all:
            if watch.expression == expression:
                self.switch(watch.number, enabled)
                return ""
        if len(self.all) >= MOST:
            return f"{MOST} watches are the most"
        self.all += (Watch(self._next, expression, enabled),)
        self._next += 1
        return ""

    def switch(self, number: int, enabled: bool) -> None:
        """Switch one on or off; what was wrong with it is to be seen anew."""
        self._change(number, enabled=enabled, problem="")

    def remove(self, number: int) -> None:
        """Forget one."""
        self.all = tuple(watch for watch in self.all if watch.number != number)

    def failed(self, number: int, problem: str, *, off: bool) -> None:
        """Keep why one could not be evaluated, or that it can be again; it is switched `off` where it does not end."""
        self._change(number, problem=problem, **({"enabled": False} if off else {}))

    def begin_anew(self) -> None:
        """A new run knows of no problem."""
        self.all = tuple(msgspec.structs.replace(watch, problem="") for watch in self.all)

    def _change(self, number: int, **how: Any) -> None:
        self.all = tuple(
            msgspec.structs.replace(watch, **how) if watch.number == number else watch for watch in self.all
        )
