"""Stepping into a phase: hooks are put in when it is entered so, and taken out when it ends, however it ends.

A forward is gone through module by module, a backward by gradients as they arrive, a step by parameters; or each of
them by operators. Nothing is hooked in any other phase, and what is hooked belongs to torch, not to the user's objects:
no module, optimizer or graph bears a trace of it that could be pickled, copied, or printed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from threading import Lock, get_ident
from types import FrameType
from typing import TYPE_CHECKING

import torch
from msgspec.structs import replace

from stepdbg.protocol import messages as m
from stepdbg.protocol.phases import KINDS
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.stepping.gradients import GradientHooks
from stepdbg.tracer.stepping.modules import ModuleHooks
from stepdbg.tracer.stepping.orders import ORDERS, Describes
from stepdbg.tracer.stepping.parameters import ParameterHooks
from stepdbg.tracer.tensors.devices import capturing

if TYPE_CHECKING:
    from stepdbg.tracer.phases.phase import Phase
    from stepdbg.tracer.stepping.host import Host, NamedUnit, NamedUnits, Ordered
    from stepdbg.tracer.stepping.unit_hooks import UnitHooks

_NOTHING_INSIDE = frozenset(kind.name for kind in KINDS if not kind.has_inside)
"""Phases that are one call of torch's or of a loader's."""


class Stepper:
    """The phase that is stepped into, and how far to go in it."""

    def __init__(self, host: Host, ordered: Ordered, points: NamedUnits) -> None:
        self.host = host
        self._ordered = ordered
        self.points = points
        self.phase: Phase | None = None
        """The phase whose inside is hooked; None nearly always."""
        self.made: dict[int, str] = {}
        """The module whose output a node of the graph has made, by its sequence number: of forwards stepped into."""
        self._hooks: tuple[UnitHooks, ...] = ()
        self._seen: Counter[tuple[m.Unit, str]] = Counter()
        """How often each unit came up in this phase."""
        self._place = 0
        self._counted = False
        """Whether every unit of the phase is seen, so that its place among them is known."""
        self._notified_compiled = False
        self._notified_unseen = False
        self._thread = 0
        self._stopping = Lock()
        """Held during a stop: with several devices, gradients arrive in several threads."""

    @property
    def order(self) -> m.Go | None:
        """How the user has said to go on."""
        return self._ordered.until

    @property
    def stepping(self) -> bool:
        """Whether training stops after every unit, and not only at those that breakpoints name."""
        return self.order in ORDERS

    def begins(self, phase: Phase) -> None:
        """Hook what a phase will do that begins, or is found running, if it is to be stepped into, or breakpoints may
        name something in it.
        """
        if self.host.muted or not (self.order in ORDERS or self.points.any_in(phase.name)):
            return
        try:
            self.enter(phase)
        except Exception as error:
            self.over(broken=True)
            self.host.gave_up(error)

    def over(self, *, broken: bool = False) -> None:
        """The phase that is stepped into, if one is, has ended or is left by an exception: take everything out."""
        if self.phase is None:
            return
        try:
            self.leave(broken=broken)
        except Exception as error:
            self.host.gave_up(error)
        self._ordered.settle()

    def enter(self, phase: Phase) -> None:
        """Hook what that phase will do."""
        self.leave()
        if phase.name in _NOTHING_INSIDE:
            return
        self.phase, self._thread = phase, get_ident()
        self._seen.clear()
        self._place = 0
        self._counted = self.stepping
        self._hooks = self._hooks_into(phase.name)
        for one in self._hooks:
            one.enter()

    def leave(self, *, broken: bool = False) -> None:
        """Take everything out again."""
        if self.phase is None:
            return
        hooks, self._hooks = self._hooks, ()
        try:
            for one in hooks:
                if not broken:
                    one.ends()
        finally:
            self.phase = None
            for one in hooks:
                one.leave()

    def stepped_by(self, order: m.Go) -> bool:
        """Whether that is the order, and the phase goes on being looked into."""
        return self.order == order and self.phase is not None and not self.host.muted

    def sees(self) -> bool:
        """Whether what happens now, in this thread, is something that one can stop after.

        Not what another thread computes (a replica's forward), nor what is traced or transformed instead of computed.
        """
        return (
            get_ident() == self._thread
            and (self.stepping or (self.phase is not None and self.points.any_in(self.phase.name)))
            and not self.host.muted
            and torch._C._get_tracing_state() is None
            and torch._C._functorch.peek_interpreter_stack() is None
            and not capturing()
        )

    def stop(
        self, unit: m.Unit, name: str, describe: Describes, frame: FrameType | None, named: NamedUnit | None = None
    ) -> None:
        """Stop after that unit, if units are stepped by or a breakpoint is met there.

        Args:
            unit: What has been done.
            name: What it is called, as far as that is known without a list of names.
            describe: Tells the rest.
            frame: The innermost frame of the training thread.
            named: The unit, where breakpoints name it.
        """
        with self._stopping:
            phase = self.phase
            if phase is None or self.host.muted:
                return
            met = self.points.met(named, phase, frame, ahead=False) if named is not None else ""
            if named is not None:
                self._seen[unit, named.name] += 1
            if not (met or self.stepping):
                return
            self._place += self._counted
            place = self._place

            def described(registry: Registry) -> m.Inner:
                inner = describe(registry)
                if named is None:
                    self._seen[unit, inner.name] += 1
                nth = self._seen[unit, inner.name if named is None else named.name]
                return replace(inner, phase=phase.name, nth=nth, place=inner.place or place)

            self._stop(described, frame, met)

    def comes_to(self, named: NamedUnit, describe: Describes, frame: FrameType | None) -> None:
        """Stop before that unit, a module's call, if a breakpoint is met there.

        Args:
            named: The unit.
            describe: Tells the rest.
            frame: The innermost frame of the training thread.
        """
        with self._stopping:
            phase = self.phase
            if phase is None or self.host.muted or not (met := self.points.met(named, phase, frame, ahead=True)):
                return
            nth = self._seen["module", named.name] + 1

            def described(registry: Registry) -> m.Inner:
                return replace(describe(registry), phase=phase.name, nth=nth, ahead=True)

            self._stop(described, frame, met)

    def _stop(self, described: Describes, frame: FrameType | None, met: str) -> None:
        self.host.stop_inside(described, frame, met)
        for one in self._hooks:
            one.ordered()

    def passed_compiled(self, named: Sequence[str] = ()) -> None:
        """A compiled module was called: say, once, why there was nothing to stop at inside it.

        Args:
            named: What breakpoints name of its inside.
        """
        if named and not self._notified_unseen:
            self._notified_unseen = True
            what = f"{named[0]} and {len(named) - 1} more" if len(named) > 1 else named[0]
            self.host.tell(f"no breakpoint is met at {what}: what torch.compile has compiled is one call", "warning")
        if not named and not self._notified_compiled:
            self._notified_compiled = True
            self.host.tell("stepping into compiled code is not possible: what torch.compile has compiled is one call")

    def _hooks_into(self, name: str) -> tuple[UnitHooks, ...]:
        if name == "backward":
            return (GradientHooks(self),)
        if not self.stepping:
            return (ModuleHooks(self),)
        if name == "step":
            return (ParameterHooks(self),)
        return (ModuleHooks(self), GradientHooks(self))
