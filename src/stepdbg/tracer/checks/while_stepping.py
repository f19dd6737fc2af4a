"""The rules of a session in which somebody steps: they look at each boundary that is looked at anyway, and no other.

In a free run nothing of this runs. Where boundaries pass unseen, the rules forget what they had of the gradients and
values before; what was found stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType

from stepdbg.protocol.messages import Boundary, Effect, Finding
from stepdbg.tracer.checks.engine import Engine
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase


class RulesWhileStepping:
    """The rules, and what they have just found.

    Args:
        registry: What is alive.
        tell: Told of each finding, new or met again.
        fail: Told where the rules cannot go on; they are off then.
        scaling: What is done to gradients between backward and step.
    """

    def __init__(
        self,
        registry: Registry,
        tell: Callable[[Finding], object],
        fail: Callable[[Exception], object],
        scaling: GradientScaling,
    ) -> None:
        self._registry, self._tell, self._fail, self._scaling = registry, tell, fail, scaling
        self._engine: Engine | None = None
        """Made at the first boundary that is looked at, since the rules are loaded then."""
        self._off = False

    def look(
        self,
        boundary: Boundary,
        phase: Phase | None,
        before: ObjectSnapshot | None,
        after: ObjectSnapshot,
        effects: Sequence[Effect],
        stack: Sequence[FrameType],
        *,
        boundaries: int = 1,
        last: bool = False,
    ) -> list[Finding]:
        """Show them a boundary, as `Engine.look` describes it; what is found there for the first time is told, and what
        was met again.
        """
        if self._off:
            return []
        try:
            if self._engine is None:
                self._engine = Engine(scaling=self._scaling)
            engine = self._engine
            found = engine.look(
                boundary,
                phase,
                before,
                after,
                effects,
                self._registry,
                stack,
                boundaries=boundaries,
                last=last,
            )
            again = engine.met_again()
        except Exception as error:
            self._off = True
            self._fail(error)
            return []
        for finding in (*found, *again):
            self._tell(finding)
        return found

    def look_at_call(self, boundary: Boundary, stack: Sequence[FrameType]) -> None:
        """Show them the call that begins here, as `Engine.look_at_call` describes it."""
        if self._off or self._engine is None:
            return
        try:
            found = self._engine.look_at_call(boundary, self._registry, stack)
        except Exception as error:
            self._off = True
            self._fail(error)
            return
        for finding in found:
            self._tell(finding)

    def forget(self) -> None:
        """The user has written to what is alive: what is found from here on must not rest on how it was."""
        if self._engine is not None:
            self._engine.forget()

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""
        self._engine, self._off = None, False
