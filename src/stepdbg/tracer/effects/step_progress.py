"""A step that training waits inside of: which parameters it has moved, which are still to come.

What the step has written so far is told by the snapshots from before it and from now. Between two parameters that is
all; between two operators the one that is worked on is half done.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect.layout import optimized_by
from stepdbg.tracer.objects.registry import Registry

Reached = Literal["", "moved", "to come", "at work", "unknown"]
"""How far the step has come with a parameter; empty where the step is not that of its optimizer."""
_STATE = re.compile(r"\.state\[(?P<parameter>.+)\]\.[^\]]+\Z")


class StepProgress(NamedTuple):
    """The step."""

    optimizer: Any
    """The optimizer whose step it is; None where that is not known."""
    within: str | None
    """Between two operators: the parameter that is worked on, empty where all are at once."""
    written: frozenset[str] | None
    """The parameters that it has written; None where nobody looked when it began."""
    begun: frozenset[str] = frozenset()
    """The parameters of whose optimizer state the step has written something that was there before."""

    def reached(self, name: str, optimizer: Any, registry: Registry) -> Reached:
        """How far it has come with this parameter of this optimizer."""
        if not self._is_of(optimizer, registry):
            return ""
        if self.written is None:
            return "unknown"
        if self.within == name or (self.within == "" and name in self.written | self.begun):
            return "at work"
        return "moved" if name in self.written else "to come"

    def _is_of(self, optimizer: Any, registry: Registry) -> bool:
        """Whether it is the step of this one; if nobody knows, what it has written says so."""
        if self.optimizer is not None:
            return self.optimizer is optimizer
        if self.written is None or len(registry.optimizers()) == 1:
            return True
        mine = set(map(id, optimized_by(optimizer)))
        entries = (registry.alive.get(name) for name in self.written)
        return any(entry is not None and id(entry.tensor) in mine for entry in entries)


def midstep(
    boundary: m.Boundary, inner: m.Inner | None, optimizer: Any, effects: Sequence[m.Effect] | None
) -> StepProgress | None:
    """The step that training waits inside of; None where it waits elsewhere.

    Args:
        boundary: Where training waits.
        inner: What has just been done there.
        optimizer: Whose phase runs, as far as that is known.
        effects: What the phase has done so far; None where that is not known.
    """
    if inner is None or boundary.inside[-1:] != ("step",):
        return None
    within = inner.within if inner.unit == "operator" else None
    if effects is None:
        return StepProgress(optimizer, within, None)
    written = {effect.object for effect in effects if effect.kind == "parameter" and effect.what in _WRITTEN}
    states = (effect.object for effect in effects if effect.kind == "state" and effect.what in _WRITTEN)
    begun = {found["parameter"] for state in states if (found := _STATE.search(state)) is not None}
    return StepProgress(optimizer, within, frozenset(written), frozenset(begun))


_WRITTEN = ("changed", "touched")
