"""A traced run: what is told of each boundary, whether training stops there or not.

The description is sent and nobody answers. Effects and fingerprints are those of a stepped run: everything that is
alive is listed by name and fingerprinted at each boundary, and held against the boundary before. Without them a
boundary costs its place and its loss.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import islice
from types import FrameType

import msgspec

from stepdbg.protocol import messages as m
from stepdbg.tracer.checks.engine import Engine
from stepdbg.tracer.checks.evidence import Evidence
from stepdbg.tracer.effects import effects, nonfinite
from stepdbg.tracer.effects.fingerprints import ALGORITHMS
from stepdbg.tracer.effects.returns import Returns
from stepdbg.tracer.introspect.stack import scopes
from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.nonfinite.checks import Checks
from stepdbg.tracer.objects.outliving import KeptAlive
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.connection import Link
from stepdbg.tracer.stops.cause import Cause
from stepdbg.tracer.tensors.window import single


class Trace:
    """What a trace wants to know, and the snapshot from the boundary before."""

    def __init__(
        self,
        wanted: m.Tracing,
        link: Link,
        rank: int,
        returns: Returns,
        nonfinite: Checks,
        tell_of: Callable[[Exception], object],
    ) -> None:
        self._tell_of = tell_of
        self._wanted = wanted
        self._link = link
        self._rank = rank
        self._registry = returns.registry
        self._returns = returns
        returns.watching = wanted.effects or wanted.rules is not None
        self._before: effects.ObjectSnapshot | None = None
        self._kept_alive = KeptAlive()
        """The last step of a function can still be told, as in a stepped run."""
        self._named_algorithms = False
        self._checks = Engine(wanted.rules, nonfinite.scaling) if wanted.rules is not None else None
        """The rules that look at each boundary."""
        self._evidence = Evidence(self._registry, nonfinite)
        if self._checks is not None:
            self._checks.say = link.send
            self._evidence.note(True, wanted.rules)

    def passes(
        self,
        boundary: m.Boundary,
        stack: list[FrameType],
        phases: PhaseTracker,
        *,
        returning: FrameType | None = None,
        end: Cause | None = None,
    ) -> bool:
        """Tell of a boundary.

        Args:
            boundary: With the user's file and line.
            stack: The training thread's frames, innermost first.
            phases: Where training is.
            returning: A frame to which a model's output is just being returned.
            end: Why nothing follows.

        Returns:
            Whether the updates that were wanted are over.

        Raises:
            HubLost: nobody is there any more.
        """
        last = self._wanted.updates
        over = last is not None and end is None and (boundary.opens or phases.update) > last
        found, prints = None, None
        with Unobserved(), uncollected():
            try:
                inner = end is not None and end.inner is not None
                last = over or (end is not None and end.reason in ("exit", "exception"))
                found, prints = self._look(boundary, phases, stack, returning, inner=inner, last=last)
                if phases.pending_backward:
                    boundary = msgspec.structs.replace(boundary, loss=self._newest_loss(stack, boundary.loss, phases))
            except Exception as error:  # the line is there without what could not be read
                self._before = None
                self._tell_of(error)
        if self._checks is not None and (over or _reason(end) in ("exit", "exception")):
            findings, checked = self._checks.report()
            for finding in findings:
                self._link.send(m.FindingMet(finding))
            self._link.send(msgspec.structs.replace(checked, pid=os.getpid()))
        algorithms = None
        if prints is not None and not self._named_algorithms:
            self._named_algorithms, algorithms = True, ALGORITHMS
        self._link.send(
            m.Traced(
                msgspec.structs.replace(boundary, rank=self._rank),
                os.getpid(),
                reason="updates" if over else _reason(end),
                failure=end.failure if end is not None else None,
                effects=found,
                fingerprints=prints,
                algorithms=algorithms,
            )
        )
        return over

    def _look(
        self,
        boundary: m.Boundary,
        phases: PhaseTracker,
        stack: list[FrameType],
        returning: FrameType | None,
        *,
        inner: bool,
        last: bool,
    ) -> tuple[tuple[m.Effect, ...] | None, dict[str, str | None] | None]:
        """The effects of the phase done and the fingerprints of everything, as far as they are wanted. At an `inner`
        boundary no phase is done: what has happened is told with the phase that it is part of.
        """
        if not (self._wanted.effects or self._wanted.fingerprints or self._checks is not None):
            return None, None
        registry = self._registry
        try:
            if boundary.done == "data" and self._before is not None:
                for variables in islice(scopes(stack), 1):
                    registry.newest.note_fetched(variables, registry.reachable)
            registry.refresh(stack, returning, pending_backward=phases.pending_backward)
            after = effects.take(registry)
            self._kept_alive.keep(registry.named)
            found: tuple[m.Effect, ...] | None = None
            if self._wanted.effects or self._checks is not None:
                named: list[m.Effect] = []
                within = boundary.done is not None or bool(boundary.inside)
                if self._before is not None and not inner and (within or boundary.next is None):
                    done = phases.last if within else None
                    named = self._returns.since_boundary(done, phases.open, self._before, after)
                found = tuple(nonfinite.marked(named, registry))
                if self._checks is not None:
                    done = phases.last if boundary.done is not None else None
                    new = self._checks.look(
                        boundary, done, self._before, after, found, registry, stack, self._evidence.explain, last=last
                    )
                    for finding in new:  # told at once: a process may end without a word
                        self._link.send(m.FindingMet(finding))
            if not inner:
                registry.release()
                self._before = after
                if self._kept_alive.let_go(registry.named):  # which is no effect of the phase that comes
                    registry.refresh(stack, returning)
                    self._before = effects.take(registry)
        finally:
            registry.release()
        found = found if self._wanted.effects else None
        return found, effects.fingerprints(after) if self._wanted.fingerprints else None

    def backward_comes(self, boundary: m.Boundary, stack: list[FrameType]) -> None:
        """`backward` is about to be called on what a model has returned, with no boundary in between: the rules see
        what it is called on.
        """
        if self._checks is None:
            return
        with Unobserved(), uncollected():
            try:
                self._registry.refresh(stack, pending_backward=True)
                for finding in self._checks.look_at_call(boundary, self._registry, stack):
                    self._link.send(m.FindingMet(finding))
            except Exception as error:
                self._tell_of(error)
            finally:
                self._registry.release()

    def _newest_loss(self, stack: list[FrameType], known: float | None, phases: PhaseTracker) -> float | None:
        """A loss is known before `backward` is called on it: the user's frame holds it. One of the last update is none
        while this one's is being made.
        """
        if not self._registry.newest.at_backward:
            self._registry.look_for_loss(stack)
            if self._registry.newest.called.undecided:
                return known if phases.loss_of == phases.update else None
        loss = self._registry.newest.loss()
        number = None if loss is None else single(loss)
        return None if number is None else float(number)


def _reason(end: Cause | None) -> m.TraceReason | None:
    if end is None or end.reason not in ("exit", "exception", "breakpoint"):
        return None
    return end.reason
