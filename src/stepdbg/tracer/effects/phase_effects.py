"""What the phase just done did: everything alive, as it looked before the phase, is held against how it looks after.

The snapshot from before a phase is kept from one boundary to the next, while somebody steps. In a free run only the
version counters of the last stop are kept.
"""

from __future__ import annotations

import weakref
from itertools import islice
from types import FrameType
from typing import Any

from msgspec.structs import replace

from stepdbg.listing.effect_names import counted
from stepdbg.protocol.messages import Basis, Boundary, Effect, Effects
from stepdbg.tracer.effects import effects, nonfinite
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.effects.returns import Returns
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.phase import Phase

GONE = "what there was to see then is gone by now"
"""Why nothing was seen to change: the function that held it has returned."""


class PhaseEffects:
    """The snapshot from before the phase that runs, and what is told of a phase from it."""

    def __init__(self, returns: Returns) -> None:
        self.before: ObjectSnapshot | None = None
        """The snapshot with fingerprints from the start of the phase that runs; None where nobody will look."""
        self._returns = returns
        self._registry = returns.registry
        self._phases = returns.phases
        self._reachable: dict[int, weakref.ref[Any]] = {}
        """The tensors that the user's variables led to when that snapshot was taken."""
        self._counters: ObjectSnapshot | None = None
        """The version counters from the last stop; None where every phase since was looked at."""
        self._stop_update: int | None = None
        """The update of the last stop."""
        self._taken_at = 0
        """The index of the boundary at which the snapshot was taken."""
        self.stretch: list[Effect] = []
        """What has happened since the boundary before, as `since` was asked last: of a phase with others inside it, no
        more than its last stretch."""
        self._within: ObjectSnapshot = {}
        """The snapshot from the inner boundary at which training waits."""

    @property
    def watching(self) -> bool:
        """Whether the phase that runs will be held against a snapshot from before it."""
        return self.before is not None

    # at a boundary

    def keep_snapshot(self, snapshot: ObjectSnapshot) -> None:
        """Everything has been listed at a boundary: the phase that follows is held against that snapshot."""
        self.before, self._reachable, self.stretch = snapshot, self._registry.reachable, []
        self._taken_at = self._phases.index

    def find_batch(self, boundary: Boundary, stack: list[FrameType]) -> None:
        """Note the batch that a `data` phase of the loop's own has fetched, where somebody stood at its beginning."""
        if boundary.done == "data" and self.before is not None:
            for variables in islice(frames.scopes(stack), 1):
                self._registry.newest.note_fetched(variables, self._reachable)

    def evaluations(self, boundary: Boundary) -> int:
        """The number of evaluations in a row that have just been done."""
        return boundary.index - self._taken_at if boundary.done == "eval" and self.before is not None else 1

    def of_phase(self, done: Phase | None, after: ObjectSnapshot) -> tuple[list[Effect], Basis | None]:
        """What the phase just done did, and how that is known: None where it is not.

        Args:
            done: The phase; None for what the script has done since the boundary before, where that was no phase.
            after: How everything looks now.
        """
        if self.before is not None:
            return self.since(done, self.before, after), "fingerprint"
        if self._counters is not None:
            found = effects.named(self._counters, effects.counters_only(after), "counters")
            return nonfinite.marked(found, self._registry), "counters"
        return [], None

    def counted(self, found: list[Effect], basis: Basis, after: ObjectSnapshot) -> Effects:
        """Effects as a stop shows them, with the stop that they are counted from where counters tell."""
        if basis != "counters":
            return counted(found, basis, None)
        shown = counted(found, basis, self._stop_update)
        gone = not _trained(after) and _trained(self._counters or {})
        return replace(shown, why=GONE) if gone else shown

    def since(self, done: Phase | None, before: ObjectSnapshot, after: ObjectSnapshot) -> list[Effect]:
        """What has happened since the boundary before; of a phase with others inside it, all that was its own."""
        stretch = self._returns.since_boundary(done, self._phases.open, before, after)
        found = self._returns.in_all(done, stretch)
        marked = nonfinite.marked(found, self._registry)
        self.stretch = marked if found == stretch else nonfinite.marked(stretch, self._registry)
        return marked

    def record(self, done: Phase, found: list[Effect], basis: Basis) -> None:
        """Keep what a phase did; what came after its call is another's where it lies inside that."""
        own = found if done.outer is None else [effect for effect in found if not (effect.after or effect.before)]
        done.effects = effects.without_names(counted(own, basis))

    def so_far(self, before: ObjectSnapshot, after: ObjectSnapshot) -> list[Effect]:
        """What the phase that runs has done up to an inner boundary; the snapshot from before it stays."""
        self._within = after
        return nonfinite.marked(effects.named(before, after, "fingerprint"), self._registry)

    # when training goes on

    def edited(self, snapshot: ObjectSnapshot, *, inner: bool) -> None:
        """Objects were edited at the stop, which is no effect of the phase that comes.

        Args:
            snapshot: How everything looks after the edits.
            inner: Whether training waits inside a phase.
        """
        if not inner:
            self.keep_snapshot(snapshot)
        elif self.before is not None:
            self.before = effects.edited(self.before, self._within, snapshot)

    def go_on(self, *, stepping: bool, watching: bool) -> None:
        """Training goes on.

        Args:
            stepping: It stops at the next boundary.
            watching: Each phase is looked at from here on.
        """
        self._stop_update = self._phases.update
        if stepping:
            self._counters = None
        elif self.before is not None:
            self._counters = effects.counters_only(self.before)
        self._within = {}
        if not watching:
            self.before, self._reachable = None, {}

    def stop_watching(self) -> None:
        """Nobody will look at the phase that runs: drop the snapshot from before it."""
        self.before = None

    def forget(self) -> None:
        """What the phases do from here on cannot be told."""
        self.before = self._counters = None
        self._reachable, self._within = {}, {}


def _trained(snapshot: ObjectSnapshot) -> bool:
    """Whether anything in the snapshot is there to be trained."""
    return any(record.kind == "parameter" for record in snapshot.values())
