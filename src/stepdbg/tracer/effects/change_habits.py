"""What each phase is likely to change: what it has changed before, and what a phase of its name usually changes."""

from __future__ import annotations

from collections.abc import Set
from itertools import chain

from stepdbg.protocol.messages import Kind
from stepdbg.protocol.phases import KINDS
from stepdbg.tracer.effects.effects import ObjectSnapshot

CHANGEABLE: tuple[Kind, ...] = ("parameter", "grad", "buffer", "state")
"""The kinds of objects that a phase may change."""
_USUAL = {kind.name: kind.changes for kind in KINDS}
"""The kinds that a phase usually changes; a phase that is not named here may change any."""
_IDLE = 4
"""The number of times in a row that a phase may leave a tensor as it is before it is expected not to change it."""


class ChangeHabits:
    """What phases have changed so far, by the names of the phases and of the objects."""

    def __init__(self) -> None:
        self._changed: dict[str, set[str]] = {}
        """What each phase has changed."""
        self._idle: dict[str, dict[str, int]] = {}
        """How often in a row each phase has left an object as it was."""

    def learn(self, phase: str, expected: Set[str], changed: Set[str]) -> None:
        """Learn from a phase that is done: what it was expected to change, and what it has changed."""
        idle = self._idle.setdefault(phase, {})
        for name in expected - changed:
            idle[name] = idle.get(name, 0) + 1
        for name in changed & idle.keys():
            del idle[name]
        self._changed.setdefault(phase, set()).update(changed)

    def likely(self, phase: str | None, snapshot: ObjectSnapshot) -> list[str]:
        """The names of what that phase is likely to change, parameters first.

        Args:
            phase: Its name; None where nobody knows.
            snapshot: How everything looks now.
        """
        habit, idle = self._changed.get(phase or "", set()), self._idle.get(phase or "", {})
        kinds = _USUAL.get(phase or "", CHANGEABLE)
        found: dict[Kind, list[str]] = {kind: [] for kind in CHANGEABLE}
        for name, record in snapshot.items():
            if (record.kind in kinds or name in habit) and record.kind in CHANGEABLE and idle.get(name, 0) < _IDLE:
                found[record.kind].append(name)
        return [*chain.from_iterable(found.values())]
