"""What is kept from one boundary to the next while somebody steps, so that the phase between can be looked at.

That is a snapshot of everything alive, copies of what the phase is likely to change, the gradients before a clip, and
the models and optimizers of a function that ends with the phase.
"""

from __future__ import annotations

from types import FrameType
from typing import NamedTuple

from stepdbg.protocol.messages import Basis, Boundary, Effect, Finding
from stepdbg.tracer.checks.while_stepping import RulesWhileStepping
from stepdbg.tracer.effects import effects
from stepdbg.tracer.effects.before_copies import BeforeCopies
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.effects.phase_effects import PhaseEffects
from stepdbg.tracer.effects.returns import Returns
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.introspect.unobserved import Unobserved, uncollected
from stepdbg.tracer.objects.outliving import KeptAlive
from stepdbg.tracer.phases.phase import Phase


class Seen(NamedTuple):
    """What was seen at a boundary before it was decided that training stops there."""

    after: ObjectSnapshot
    effects: list[Effect]
    """What the phase done did."""
    basis: Basis | None
    """How that is known; None where it is not."""
    findings: list[Finding]
    """What the rules have found for the first time."""


class PhaseWatch:
    """Watches the phases, as long as somebody steps."""

    def __init__(self, returns: Returns, gradient_scaling: GradientScaling, rules: RulesWhileStepping) -> None:
        self.rules = rules
        self.effects = PhaseEffects(returns)
        self.copies = BeforeCopies()
        self.kept_alive = KeptAlive()
        """Models and optimizers kept alive while somebody steps: the last step of a function can then still be looked
        at."""
        self._registry, self._phases = returns.registry, returns.phases
        self._scaling = gradient_scaling

    @property
    def watching(self) -> bool:
        """Whether the phase that runs will be held against a snapshot from before it."""
        return self.effects.watching

    # without a stop

    def foresee(self, following: str | None, stack: list[FrameType], returning: FrameType | None) -> None:
        """Training will stop at the end of the phase that begins: take the snapshot from before it."""
        with Unobserved(), uncollected():
            self._registry.refresh(stack, returning, pending_backward=self._phases.pending_backward)
            before = effects.take(self._registry)
            self.effects.keep_snapshot(before)
            self.copies.before(following, self._registry, before)
            if following == "clip":
                self._scaling.before_clip(self._registry)
        self._registry.release()

    def pass_by(
        self,
        boundary: Boundary,
        done: Phase | None,
        stack: list[FrameType],
        returning: FrameType | None,
        *,
        stops: bool = False,
    ) -> Seen | None:
        """Training goes on here, to the end of its update: what the phase done did is recorded as if it had stopped.

        Args:
            boundary: The boundary, with the user's line.
            done: The phase done.
            stack: The training thread's frames, innermost first.
            returning: A frame to which a model's output is just being returned.
            stops: Training is to stop where a rule finds something new.

        Returns:
            What was seen, where training is to stop for what a rule has found; else None.
        """
        if boundary.next == boundary.done == "eval":  # as where one steps: a row of evaluations is one
            return None
        with Unobserved(), uncollected():
            self.effects.find_batch(boundary, stack)
            self._registry.refresh(stack, returning, pending_backward=self._phases.pending_backward)
            after = effects.take(self._registry)
            before, found = self.effects.before, list[Effect]()
            within = done is not None or bool(boundary.inside)
            if within and before is not None:
                found = self.effects.since(self._phases.last, before, after)
                if done is not None:
                    self.effects.record(done, found, "fingerprint")
            findings = self.look(boundary, done, before, after, stack, asked=stops)
            self.rules.note(True)
            if stops and any(one.severity != "info" for one in findings):
                self._registry.release()
                return Seen(after, found, "fingerprint" if before is not None else None, findings)
            self.arrived(boundary, after, found)
            if boundary.next is not None:
                self.copies.before(boundary.next, self._registry, after)
        self._registry.release()
        return None

    # at a stop

    def look(
        self,
        boundary: Boundary,
        done: Phase | None,
        before: ObjectSnapshot | None,
        after: ObjectSnapshot,
        stack: list[FrameType],
        *,
        last: bool = False,
        asked: bool = False,
    ) -> list[Finding]:
        """Have the rules look at a boundary between two phases, after `PhaseEffects.since`; what they find that is
        new.
        """
        effects = self.effects.stretch if before is not None else []
        evaluations = self.effects.evaluations(boundary)
        return self.rules.look(
            boundary, done, before, after, effects, stack, boundaries=evaluations, last=last, asked=asked
        )

    def arrived(self, boundary: Boundary, snapshot: ObjectSnapshot, found: list[Effect]) -> None:
        """Training stands at a boundary between two phases: keep the snapshot, and what the copies tell of the phase.

        Args:
            boundary: Where training stands.
            snapshot: How everything looks there.
            found: What the phase done did.
        """
        self.copies.after(boundary, self.effects.before, snapshot, found)
        if boundary.next == "clip":
            self._scaling.before_clip(self._registry)
        self.effects.keep_snapshot(snapshot)

    def backward_comes(self, boundary: Boundary, stack: list[FrameType]) -> None:
        """`backward` is about to be called on what a model has returned, with no boundary in between: the rules see
        what it is called on.
        """
        with Unobserved(), uncollected():
            self._registry.refresh(stack, pending_backward=True)
            self.rules.look_at_call(boundary, stack)
        self._registry.release()

    # no longer

    def pass_unseen(self) -> None:
        """Training goes on here, and nothing may be looked at: what the phases do cannot be told."""
        self.effects.forget()

    def stop_watching(self) -> None:
        """Nobody will look at the phase that runs: drop the snapshot from before it."""
        self.effects.stop_watching()

    def let_go(self) -> None:
        """Nobody steps: keep no copies, no names, and nothing alive."""
        self.kept_alive.forget()
        self.copies.let_go()
        self._registry.forget_names()
