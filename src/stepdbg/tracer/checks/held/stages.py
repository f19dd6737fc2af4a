"""How an optimizer has been used: what it holds and has gathered, where it was made and stepped, on which data."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from types import CodeType
from typing import Any

import torch
from torch.optim import Optimizer

from stepdbg.tracer.checks.moment import Moment, Place
from stepdbg.tracer.introspect.layout import groups_of, optimized_by, states_of
from stepdbg.tracer.introspect.plain import plain
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.objects.loaders.fetched import Fetched
from stepdbg.tracer.phases.loops import loops_of
from stepdbg.tracer.tensors.readable import ORDINARY

Calls = tuple[tuple[CodeType, int], ...]
"""The user's functions that ran, innermost first, and where each was."""
_NO_SETTINGS = ("params", "param_names", "initial_lr", "swa_lr")
"""Entries of a group that are no hyperparameters of its optimizer."""


class Stage:
    """The use of one optimizer, from when it was first seen.

    Args:
        optimizer: The optimizer.
        made: Where it was made.
    """

    def __init__(self, optimizer: Optimizer, made: Calls) -> None:
        self.made = made
        self.optimizer = weakref.ref(optimizer)
        self.kind = type(optimizer)
        self.parameters = [weakref.ref(one) for one in optimized_by(optimizer)]
        self.settings = tuple(
            (key, plain(value))
            for group in groups_of(optimizer)
            for key, value in group.items()
            if key not in _NO_SETTINGS
        )
        """Its hyperparameters before its first step."""
        self.inherits = False
        """Whether it had a state before its first step."""
        self.gathered: tuple[str, ...] = ()
        """The names of what it keeps of each parameter, beside counts."""
        self.updates: list[int] = []
        """The updates of its first and its last step; empty before."""
        self.stepped_at: Calls = ()
        self.written = False
        """Whether the script has written its parameters since its last step."""
        self.data: set[object] = set()
        """What it was trained on: fingerprints of batches, and the data sets of loaders."""

    def holds_the_same(self, other: Stage) -> bool:
        """Whether both hold the very same parameters."""
        mine = {id(one) for ref in self.parameters if (one := ref()) is not None}
        theirs = {id(one) for ref in other.parameters if (one := ref()) is not None}
        return mine == theirs and len(self.parameters) == len(mine) == len(other.parameters)

    def look_for_state(self) -> None:
        """See what it has gathered."""
        optimizer = self.optimizer()
        if optimizer is not None and not self.gathered:
            self.gathered = gathered_by(optimizer)

    def made_within_the_loop_of(self, other: Stage) -> bool:
        """Whether it was made in the round of the innermost loop in which the other has stepped last."""
        steps, made = other.stepped_at[::-1], self.made[::-1]
        innermost: tuple[int, Any] | None = None
        for depth, (code, place) in enumerate(steps):
            if around := loops_of(code).around(place):
                innermost = depth, around[0]
        if innermost is None or len(made) <= innermost[0]:
            return False
        depth, loop = innermost
        code, place = made[depth]
        return made[:depth] == steps[:depth] and code is steps[depth][0] and loop in loops_of(code).around(place)

    @property
    def place(self) -> Place | None:
        """The line that has made it."""
        if not self.made:
            return None
        code, place = self.made[0]
        return code.co_filename, loops_of(code).position(place)[0]


def gathered_by(optimizer: Optimizer) -> tuple[str, ...]:
    """The names of what an optimizer keeps of its parameters that is not zero, beside counts."""
    found: dict[str, None] = {}
    for _, state in states_of(optimizer):
        values: Iterable[tuple[Any, Any]] = [*state.items()]
        for key, value in values:
            if type(key) is not str or key == "step" or key in found or type(value) not in ORDINARY:
                continue
            if is_a(value, torch.Tensor) and value.layout is torch.strided and bool(value.count_nonzero()):
                found[key] = None
        if found:
            break
    return tuple(found)


def data_at(moment: Moment, stale: Fetched | None) -> set[object]:
    """What training has gone through just now: the fingerprints of the batch, and its loader's data set.

    Args:
        moment: Before a step.
        stale: What was fetched last at the step before: of the first batches of another loader nothing is noted.
    """
    found: set[object] = {
        record.print
        for name, one in moment.alive.items()
        if one.kind == "batch" and (record := moment.record(name)) is not None and record.print is not None
    }
    if moment.fetched is not None and moment.fetched is not stale and moment.fetched.dataset is not None:
        found.add(moment.fetched.dataset)
    return found
