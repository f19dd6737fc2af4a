"""One watchpoint: what its name leads to, how that was when it was looked at last, and whether it has done what is
waited for.

It is looked at before each phase and after each; what is found there is kept until training stops for it. A value that
comes to be for the first time has changed only where that is a phase's doing: a gradient, an entry of a state.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from types import FrameType
from typing import Any

from stepdbg.errors import SliceError
from stepdbg.protocol.messages import Watched
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.tensors.readable import Unreadable
from stepdbg.tracer.watchpoints.names import ABSENT, Member, Place, is_pattern, places
from stepdbg.tracer.watchpoints.readings import (
    MOST,
    MOST_ALONE,
    NOTHING,
    Reading,
    difference,
    not_finite,
    outside,
    reading,
)
from stepdbg.tracer.watchpoints.stillness import Kept

_INDEX = re.compile(r"(?P<name>.+?)\s*(?P<index>\[[-+\d:,.\s]+\])\Z", re.DOTALL)
_TRIES = 32
"""Looks at which a name that leads to nothing is looked up again; after that once in an update."""


class _Value:
    """One value that is watched."""

    def __init__(self, name: str, place: Place) -> None:
        self.name, self.place = name, place
        self.before: Reading | None = None
        """The value as it was when it was looked at last; None before it was there."""
        self.held = True
        """Whether it lay within the range, or was finite."""
        self.since = 0
        """The update in which it changed last, or was seen first."""
        self.told = False
        """Whether training has stopped since, because it stays."""


class Watchpoint:
    """A value that is watched, or all that a pattern fits.

    Args:
        watched: What is waited for.
        registry: Knows what is alive.
        find: Looks for the names of models and optimizers that have none yet, as seen from a frame.
    """

    def __init__(self, watched: Watched, registry: Registry, find: Callable[[FrameType | None], None]) -> None:
        self.watched, self._registry, self._find = watched, registry, find
        self._values: list[_Value] = []
        self._key: Any = None
        self._tries = 0
        self._index = ""
        """The element or slice that is meant, as Python writes it; empty for all."""
        self._found = ""
        """What it has come to, for which training has not stopped yet: `in step: [0, 3] from 0.5 to 0.25`."""
        self._looked_in = 0
        self._most = MOST if is_pattern(watched.name) else MOST_ALONE
        self._looked = False
        """Whether anything was looked at so far: what a pattern fits since has come to be meanwhile."""
        self._gone = False
        """Whether nothing watched was in sight at the last look: a model may have taken the place of another."""
        self._problem: str | None = ""
        """Why a value cannot be read; empty where all can, None where that has been told."""

    @property
    def names(self) -> list[str]:
        """All that is watched, by name."""
        return [value.name for value in self._values]

    @property
    def values(self) -> list[tuple[str, Place, str]]:
        """All that is watched: name, place, and the slice of it that is meant."""
        return [(value.name, value.place, self._index) for value in self._values]

    @property
    def is_unknown(self) -> bool:
        """Whether its name leads to nothing, though it was looked up many times."""
        return not self._values and self._tries >= _TRIES

    @property
    def pending(self) -> bool:
        """Whether it has come to something for which training has not stopped yet."""
        return bool(self._found or self._problem)

    def take(self) -> str:
        """What it has come to, in words, which is told once; empty for nothing."""
        found, self._found = self._found, ""
        return found

    def take_problem(self) -> str:
        """Why a value cannot be read, which is told once; empty where all can."""
        if not self._problem:
            return ""
        problem, self._problem = self._problem, None
        return problem

    def look(self, frame: FrameType | None, update: int, where: Callable[[], str], *, by_user: bool = False) -> None:
        """See how everything watched is now.

        Args:
            frame: The user's innermost frame.
            update: The update that training is in.
            where: What has been done since the last look, in words.
            by_user: Whatever has changed since the last look is nothing to stop for: it was the user, at a stop.
        """
        self.find(frame, update)
        self._looked = self._looked or bool(self._values)
        told: list[tuple[str, str]] = []
        self._gone = True
        for value in self._values:
            now = value.place.value(frame)
            if now is ABSENT:
                if not value.place.comes_from_phases:  # another call of the function makes another value
                    value.before, value.held = None, True
                continue
            known, self._gone = value.before is not None, False
            try:
                if (words := self._seen(value, now, update)) and not (by_user and known):
                    told.append((value.name, words))
            except (Unreadable, SliceError) as error:
                self._problem = self._problem if self._problem is None else str(error)
        if told and not self._found:
            (name, words), more = told[0], len(told) - 1
            which = f" {name}" if is_pattern(self.watched.name) else ""
            others = f"; and {more} more" if more else ""
            self._found = f"{where()}{which}: {words}{others}"

    def kept(self) -> list[Kept] | None:
        """What is kept of all that is watched, where it can be told quickly that it has not changed; else None."""
        slow = self.watched.how == "stays" or is_pattern(self.watched.name)
        if slow or self.pending or self._gone or not self._values:
            return None
        found = []
        for value in self._values:
            before, place = value.before, value.place
            data = None if before is None else before.whole if self._index else before.mark
            if before is None or not isinstance(place, Member) or not (before is NOTHING or isinstance(data, bytes)):
                return None
            found.append(Kept(place, data if isinstance(data, bytes) else None, before.dtype))
        return found

    def may_stay(self, update: int) -> bool:
        """Whether training may stop where that update ends, because a value has not changed."""
        wanted = self.watched.updates
        return wanted is not None and any(
            value.before is not None and not value.told and update - value.since >= wanted for value in self._values
        )

    def ends(self, update: int) -> None:
        """That update has ended: see whether a value has stayed for as many as are waited for."""
        wanted = self.watched.updates
        if wanted is None or self._found:
            return
        for value in self._values:
            if value.before is not None and not value.told and update - value.since >= wanted:
                value.told = True
                which = f" of {value.name}" if is_pattern(self.watched.name) else ""
                self._found = f"no change{which} since update {value.since}"
                return

    def find(self, frame: FrameType | None, update: int) -> None:
        """Look its name up, where it is not known what that leads to, or may be more by now."""
        registry, name = self._registry, self.watched.name
        if self._values and not (is_pattern(name) or (self._gone and update != self._looked_in)):
            return
        if not self._values and self._tries >= _TRIES and update == self._looked_in:
            return
        self._tries += 1
        self._looked_in = update
        self._find(frame)
        if is_pattern(name):
            key = _set_of(registry)
            if key == self._key and self._values:
                return
            self._key = key
        found = dict(places(name, registry, frame))
        if not found and (match := _INDEX.fullmatch(name)) is not None:
            found = dict(places(match["name"], registry, frame))
            self._index = match["index"] if found else self._index
        if not found and self._gone:
            return
        known = {value.name: value for value in self._values if not self._gone}
        self._values = [known.get(one) or self._anew(one, place, update) for one, place in found.items()]

    def _anew(self, name: str, place: Place, update: int) -> _Value:
        """A value that is watched from now on."""
        value = _Value(name, place)
        value.since = update
        if self._looked and place.comes_from_phases:
            value.before = NOTHING
        return value

    def _seen(self, value: _Value, now: Any, update: int) -> str:
        """What a value has come to by now, in words; empty where that is nothing to stop for."""
        before = value.before
        after = reading(now, self._index, before, self._most)
        if before is not None and (after is before or after[:3] == before[:3]):
            return ""
        value.before, value.since, value.told = after, update, False
        match self.watched.how:
            case "changes":
                return "" if before is None else difference(before, after, now, self._index)
            case "leaves":
                low, high = self.watched.low, self.watched.high
                words = outside(now, self._index, low, high)
            case "not finite":
                words = not_finite(now, self._index)
            case _:
                return ""
        held, value.held = value.held, not words
        return words if held else ""


def _set_of(registry: Registry) -> Any:
    """What tells one set of models, optimizers and entries of their states from another, cheaply."""
    models = tuple((name, id(model)) for name, model in registry.models())
    return models, tuple((named.name, id(one), len(one.state)) for named, one in registry.optimizers())
