"""The rules of a session in which somebody steps: they look at each boundary that is looked at anyway, and no other.

In a free run nothing of this runs. Where boundaries pass unseen, the rules forget what they had of the gradients and
values before; what was found stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import FrameType

import msgspec

from stepdbg.protocol.messages import Boundary, Effect, Finding
from stepdbg.tracer.checks.engine import Engine, all_rules
from stepdbg.tracer.checks.evidence import Evidence
from stepdbg.tracer.checks.rules.non_finite import NonFinite
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.introspect.failures import in_words
from stepdbg.tracer.introspect.stack import place_of
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase

MOST = 10_000
"""Objects (parameters, gradients, states…) up to which the rules look by themselves: for so many they take 1 to 35 ms a
stop, of the 50 from a key to the painted stop. (8,000 parameters under Adam, 40,000 objects: 145 ms after a step.)"""

_WITHIN_CALLS = frozenset((NonFinite.name,))
"""Rules for which something is kept of each call, so that a batch lives longer than the script lets it: not for one who
only steps, whom the sentence tells of NaN, and not without a word (`--stop-on nan`, `stepdbg check`)."""


class RulesWhileStepping:
    """The rules, and what they have just found.

    Args:
        registry: What is alive.
        evidence: Notes what the rules need while phases run.
        tell: Told of each finding, new or met again.
        fail: Told in words why the rules do not look.
    """

    def __init__(
        self,
        registry: Registry,
        evidence: Evidence,
        tell: Callable[[Finding], object],
        fail: Callable[[str], object],
    ) -> None:
        self._registry, self._evidence, self._tell, self._fail = registry, evidence, tell, fail
        self._names: frozenset[str] | None = None
        """The names of the rules; None where they have not been asked for yet."""
        self._selected: tuple[str, ...] | None = None
        self._ignored: tuple[str, ...] = ()
        self._engine: Engine | None = None
        """Made at the first boundary that is looked at, since the rules are loaded then."""
        self._pending: list[Finding] = []
        """What was found where training goes by: it is told at the next boundary that is looked at."""
        self._told: dict[object, int] = {}
        """The boundary at which each finding was told first, by its key."""
        self._off = False
        self._too_many = False
        """Whether it was told that there is too much to look at."""

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
        asked: bool = False,
    ) -> list[Finding]:
        """Show them a boundary, as `Engine.look` describes it; what is found there for the first time is told, and what
        was met again. Where very much is alive, they look only if they are `asked` to.
        """
        if self._engine is None and (last or boundary.next is None):
            return []  # nothing was looked at before the end, and nothing may be imported while Python ends
        if self._off or (len(self._registry.alive) > MOST and not asked):
            self._say_too_many()
            return []
        try:
            if self._engine is None:
                self._engine = Engine(self._chosen(), self._evidence.scaling)
            engine = self._engine
            found = engine.look(
                boundary,
                phase,
                before,
                after,
                effects,
                self._registry,
                stack,
                self._evidence.explain,
                boundaries=boundaries,
                last=last,
            )
            again = engine.met_again()
        except Exception as error:
            self._give_up(error)
            return []
        found, self._pending = [*self._pending, *found], []
        for finding in (*found, *again):
            told = self._told.setdefault(finding.key, boundary.index)
            self._tell(msgspec.structs.replace(finding, boundary=told))
        return found

    def look_at_call(self, boundary: Boundary, stack: Sequence[FrameType]) -> None:
        """Show them the call that begins here, as `Engine.look_at_call` describes it."""
        if self._off or self._engine is None:
            return
        try:
            self._pending += self._engine.look_at_call(boundary, self._registry, stack)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self._off = True
        fault = f"{type(error).__name__}: {in_words(error)} ({place_of(error)})"
        self._fail(f"the rules could not look at a boundary, and are off from here on. Please report: {fault}")

    def _say_too_many(self) -> None:
        if not (self._off or self._too_many):
            self._too_many = True
            self._fail(
                f"the rules do not look while you step: {len(self._registry.alive):,} objects are too many for each "
                "stop; `stepdbg check`, or a stop at new findings, has them look"
            )

    def choose(self, selected: tuple[str, ...] | None, ignored: tuple[str, ...]) -> None:
        """Have these rules look, or all that are exact, but not those that are ignored."""
        self._selected, self._ignored, self._names = selected, ignored, None

    def _chosen(self) -> frozenset[str]:
        if self._names is None:
            names = self._selected or [rule.name for rule in all_rules() if rule.exact]
            self._names = frozenset(names) - frozenset(self._ignored) - _WITHIN_CALLS
        return self._names

    def note(self, on: bool) -> None:
        """Note what the rules need of the phases that come, since each of them is looked at; or no more."""
        self._evidence.note(on and not self._off, self._chosen() if on else None)

    def forget(self) -> None:
        """The user has written to what is alive: what is found from here on must not rest on how it was."""
        if self._engine is not None:
            self._engine.forget()

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""
        self._engine, self._off, self._too_many = None, False, False
        self._pending, self._told = [], {}
