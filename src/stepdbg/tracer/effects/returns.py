"""Whose doing was it: the call's, or that of what the script did between its return and the next boundary?

While somebody looks, what holds still is listed and fingerprinted once more when a call returns: what differs from
then is not the call's doing. Where that would take too long, it is told by ownership: an optimizer's step can have
changed only what the optimizer holds, and backward no parameter. A phase after which such changes were seen once is
looked at whatever it takes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from time import monotonic_ns
from typing import Any, NamedTuple

import msgspec
import torch

from stepdbg.listing.effect_names import counted
from stepdbg.protocol.messages import Effect
from stepdbg.protocol.phases import KINDS
from stepdbg.tracer.effects import effects
from stepdbg.tracer.introspect.layout import optimized_by
from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.objects.loss_search import age
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.tensors import devices

SLOW_NS = 25_000_000
"""A snapshot that takes longer is not taken a second time for nothing (50 ms are from a key to the painted stop)."""
_MAKING = {"data": ("batch", "output"), "forward": effects.FLEETING, "eval": ("batch", "output")}
"""The kinds of fleeting objects that the call of a phase makes. What backward is called on has a graph: a loader or an
evaluation makes no loss.
"""
_FOREIGN = {kind.name: kind.never for kind in KINDS if kind.never is not None}
"""Kinds that the call of a phase does not change; a step changes no parameter but those of its optimizer."""


_NO_FORWARDS = ("grad", "state", "hyperparameter")
"""Kinds that the call of a model does not change, with or without gradients."""

_nodes_so_far = torch._C._autograd._get_sequence_nr
"""The number of graph nodes that this thread has made, from which each takes its own."""


class _Inner(NamedTuple):
    """A phase that ended inside another, with no boundary before that ended too."""

    phase: Phase
    outer: Phase
    snapshot: effects.ObjectSnapshot
    """The snapshot from when the phase's call returned."""


class Returns:
    """The snapshot from when the newest call returned."""

    def __init__(self, registry: Registry, phases: PhaseTracker, gave_up: Callable[[Exception], object]) -> None:
        self.watching = False
        """Whether somebody looks at each boundary, as a trace with effects does."""
        self.registry = registry
        self.phases = phases
        self._gave_up = gave_up
        self._phase: Phase | None = None
        self._snapshot: effects.ObjectSnapshot = {}
        self._inner: _Inner | None = None
        self._last_inside: list[Effect] = []
        """What the last phase inside the one just told of did, after the last boundary inside that."""
        self._entry: effects.ObjectSnapshot | None = None
        """The snapshot from where the phase that runs began, if that is no boundary: it is one with the boundary
        before."""
        self._began_late = False
        """Whether it began so, be there a snapshot or not."""
        self._random_at_entry: dict[str, int] | None = None
        self._random_at_return: dict[str, int] | None = None
        """What there is of a snapshot that would take too long: fingerprints of the random generators, then."""
        self._random_of: Phase | None = None
        """The phase whose call had returned."""
        self._nodes = 0
        """The number of graph nodes that the thread had made when it left the boundary before."""
        self._took_ns = 0
        self._followed: set[str] = set()
        """Phases after which something else has changed."""

    def note(self, phase: Phase) -> None:
        """The call of that phase has returned. The time that this takes is none of the phases' around it."""
        began = monotonic_ns()
        try:
            self._note(phase)
        except Exception as error:
            self._gave_up(error)
        self.phases.waited(monotonic_ns() - began)

    def _note(self, phase: Phase) -> None:
        inner, self._phase = self._phase, None
        self._random_at_return = self._random_of = None
        if inner is not None and inner.outer is phase:  # the last phase inside it: no boundary lies between the two
            self._inner = _Inner(inner, phase, self._snapshot)
        if phase.name == "forward" or devices.capturing():  # a forward ends at the boundary itself
            return
        if self._took_ns > SLOW_NS and phase.name not in self._followed:
            self._took_ns -= self._took_ns // 10  # tried anew some time: the machine may have been busy just then
            with Unobserved():
                self._random_at_return, self._random_of = effects.random_states(), phase
            return
        with Unobserved(), uncollected():
            try:
                began = monotonic_ns()
                if self.registry.list_holders():
                    self._snapshot, self._phase = effects.take(self.registry), phase
                self._took_ns = monotonic_ns() - began
            finally:
                self.registry.release()

    def begins_late(self) -> None:
        """A phase begins where training goes by, since the boundary before it is one with the boundary before that:
        what has come since is not its call's doing.
        """
        self._began_late = True
        if self._took_ns > SLOW_NS:
            with Unobserved():
                self._random_at_entry = None if devices.capturing() else effects.random_states()
            return
        with Unobserved(), uncollected():
            try:
                if self.registry.list_holders():
                    self._entry = effects.take(self.registry)
            finally:
                self.registry.release()

    def leaves(self) -> None:
        """Training goes on from a boundary."""
        self._nodes = _nodes_so_far()

    def forget(self) -> None:
        """Training stands at a boundary that has been told of, or nobody looks any more."""
        self._phase, self._snapshot, self._inner = None, {}, None
        self._entry, self._began_late = None, False
        self._random_at_entry = self._random_at_return = self._random_of = None

    def since_boundary(
        self, phase: Phase | None, outer: Phase | None, before: effects.ObjectSnapshot, after: effects.ObjectSnapshot
    ) -> list[Effect]:
        """What has happened since the boundary before: first what the call of that phase did, then the rest.

        Args:
            phase: The one done; None where nothing is, at the first boundary inside another.
            outer: The phase that both boundaries lie inside: what comes after the call of `phase` is its doing.
            before: How everything looked at the boundary before.
            after: How everything looks at this one.
        """
        inner, self._inner = self._inner, None
        if inner is not None and phase is inner.outer:
            self._last_inside = effects.named(before, inner.snapshot, "fingerprint")
            if inner.phase.effects is None:
                inner.phase.effects = effects.without_names(counted(self._last_inside, "fingerprint"))
            before = _at_return(inner.snapshot, (), before, after)
        else:
            self._last_inside = []
        late, self._began_late, entry, self._entry = self._began_late, False, self._entry, None
        random, random_at_return, noted = self._random_at_entry, self._random_at_return, self._random_of
        self._random_at_entry = self._random_at_return = self._random_of = None
        lead: list[Effect] = []
        if late and entry is not None and inner is None:
            entry = _at_return(entry, (), before, after)
            entry |= {name: record for name, record in after.items() if record.kind == "batch"}
            lead, before, late = [*map(_earlier, effects.named(before, entry, "fingerprint"))], entry, False
        changes = [one for one in (*lead, *self._since(phase, before, after)) if not self._was_there(one)]
        if late and phase is not None:  # nobody looked when it began: tell by what such a call can have changed
            foreign = {*_FOREIGN.get(phase.name, _NO_FORWARDS), "batch"}
            lead = [_earlier(one) for one in changes if not one.after and one.kind in foreign]
            changes = [*lead, *(one for one in changes if one.after or one.kind not in foreign)]
        if random is not None or random_at_return is not None:
            changes = [one for one in changes if one.kind != "rng"]
            changes += _drawn(before, random, random_at_return if phase is noted else None, after)
        if outer is not None:
            own = [
                msgspec.structs.replace(one, after=False, before=False)
                for one in changes
                if one.after or one.before or phase is None
            ]
            outer.own = effects.together(outer.own or (), own)
        return [*self._last_inside, *changes]

    def _was_there(self, effect: Effect) -> bool:
        """Whether a loss that is met only now was made before the boundary before: nothing of the user's held it."""
        if effect.kind != "loss" or effect.what != "created":
            return False
        entry = self.registry.alive.get(effect.object)
        return (
            entry is not None
            and type(entry.tensor) is torch.Tensor
            and id(entry.tensor) not in self.registry.scope
            and 0 <= age(entry.tensor) < self._nodes
        )

    def in_all(self, phase: Phase | None, changes: Sequence[Effect]) -> list[Effect]:
        """The effects of a phase, of which those were the last stretch: without what the phases inside it did."""
        if phase is None or (phase.own is None and not self._last_inside):
            return [*changes]
        changes = changes[len(self._last_inside) :]
        mine = effects.together(phase.own or (), [one for one in changes if not (one.after or one.before)])
        earlier, later = ([one for one in changes if one.before], [one for one in changes if one.after])
        return [*earlier, *mine, *later]

    def _since(
        self, phase: Phase | None, before: effects.ObjectSnapshot, after: effects.ObjectSnapshot
    ) -> list[Effect]:
        if phase is None or phase.ended_ns == 0:
            return effects.named(before, after, "fingerprint")
        if phase is not self._phase:
            found = effects.named(before, after, "fingerprint")
            changes = self._by_owner(phase, found) if phase.name in _FOREIGN else found
        else:
            middle = _at_return(self._snapshot, _MAKING.get(phase.name, ()), before, after)
            changes = effects.named(before, middle, "fingerprint")
            changes += [_later(effect) for effect in effects.named(middle, after, "fingerprint")]
        if any(effect.after and effect.kind in ("parameter", "grad", "buffer", "state") for effect in changes):
            self._followed.add(phase.name)
        self.forget()
        return changes

    def _by_owner(self, phase: Phase, found: Sequence[Effect]) -> list[Effect]:
        """Nobody looked when the call returned: tell by what it can have changed."""
        foreign = _FOREIGN[phase.name]
        owner = phase.owner() if phase.owner is not None else None
        parameters = self._names_to_tell_by(owner) if phase.name == "step" else None
        if parameters is None and not any(effect.kind in foreign for effect in found):
            return [*found]
        mine: list[Effect] = []
        others: list[Effect] = []
        for effect in found:
            else_than = effect.kind in foreign or (
                effect.kind == "parameter" and parameters is not None and effect.object not in parameters
            )
            (others if else_than else mine).append(effect)
        return [*mine, *map(_later, others)]

    def _names_to_tell_by(self, optimizer: Any) -> set[str] | None:
        """The names of the optimizer's parameters; None where it is not known, or holds all that are listed."""
        if not isinstance(optimizer, torch.optim.Optimizer):
            return None
        if self.registry.all_optimized and len(self.registry.optimizers()) == 1:
            return None
        return self.parameter_names(optimizer)

    def parameter_names(self, optimizer: torch.optim.Optimizer) -> set[str]:
        """The names of the parameters that the optimizer holds."""
        parameters = {id(one) for one in optimized_by(optimizer)}
        return {name for name, entry in self.registry.alive.items() if id(entry.tensor) in parameters}


def _at_return(
    listed: effects.ObjectSnapshot,
    makes: Collection[str],
    before: effects.ObjectSnapshot,
    after: effects.ObjectSnapshot,
) -> effects.ObjectSnapshot:
    """How everything looked at the return, as far as that can be known.

    Args:
        listed: What the models and optimizers held then.
        makes: The kinds of fleeting objects that the call makes.
        before: From the boundary before.
        after: From this one.
    """
    middle = {name: record for name, record in before.items() if record.kind in effects.FLEETING and name not in listed}
    for name, record in after.items():
        if record.kind in makes:
            middle[name] = record
    return middle | listed


def _drawn(
    before: effects.ObjectSnapshot,
    entry: Mapping[str, int] | None,
    returned: Mapping[str, int] | None,
    after: effects.ObjectSnapshot,
) -> list[Effect]:
    """Whose doing the changes of random generators are, where there are no other facts from within the phase.

    Args:
        before: How everything looked at the boundary before.
        entry: The generators where the phase began; None where that is not known.
        returned: The generators when the call returned; None likewise.
        after: How everything looks at this boundary.
    """
    found: list[Effect] = []
    for name, record in after.items():
        if record.kind == "rng" and (old := before.get(name)) is not None:
            first = old.print if entry is None else entry.get(name, old.print)
            then = record.print if returned is None else returned.get(name, record.print)
            found += [_earlier(Effect(name, "rng", "changed"))] * (first != old.print)
            found += [Effect(name, "rng", "changed")] * (then != first)
            found += [_later(Effect(name, "rng", "changed"))] * (record.print != then)
    return found


def _earlier(effect: Effect) -> Effect:
    return msgspec.structs.replace(effect, before=True)


def _later(effect: Effect) -> Effect:
    return msgspec.structs.replace(effect, after=True)
