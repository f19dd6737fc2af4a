"""The rules of one run: which there are, what they are shown, and what becomes of what they find.

Whoever looks at a boundary shows it to the engine (`look`), which shows it to each rule. A rule that fails is left out
from then on, and said to be: nothing that it does may reach training.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Iterator, Sequence
from types import FrameType

import msgspec

from stepdbg.protocol.messages import Boundary, Checked, Effect, Finding, ReplicaStepped
from stepdbg.tracer.checks import rules as folder
from stepdbg.tracer.checks.ignored import is_ignored
from stepdbg.tracer.checks.measured.steps import Measures
from stepdbg.tracer.checks.moment import Explain, Moment, Place, nothing_is_bad
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.effects.effects import ObjectSnapshot
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.introspect.failures import in_words
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase


def all_rules() -> list[type[Rule]]:
    """The classes of all rules, by name."""
    found = []
    for module in pkgutil.iter_modules(folder.__path__):
        name = "".join(part.title() for part in module.name.split("_"))
        found.append(getattr(importlib.import_module(f"{folder.__name__}.{module.name}"), name))
    return sorted(found, key=lambda rule: rule.name)


class Engine:
    """The rules of one training process.

    Args:
        names: The names of the rules to run; None for all but the active probes.
        scaling: What is done to gradients between backward and step.
    """

    def __init__(self, names: Collection[str] | None = None, scaling: GradientScaling | None = None) -> None:
        self._scaling = scaling
        self._rules = [rule() for rule in all_rules() if (not rule.probing if names is None else rule.name in names)]
        self.say: Callable[[ReplicaStepped], object] = lambda _: None
        """Tells the hub what only it can judge."""
        self._measures = Measures()
        for rule in self._rules:
            rule.measures = self._measures
        self._failed: dict[str, str] = {}
        """The rules that have failed, each with why."""
        self._found: dict[object, Finding] = {}
        """What was found, by its key."""
        self._ignored: set[object] = set()
        """What was found at a line that says to ignore it, by its key."""
        self._again: dict[object, Finding] = {}
        """Those of them that were met again since they were last asked for, by key."""
        self._index = 0
        """The boundary looked at last."""
        self._whole = True
        """Whether every boundary so far was looked at."""
        self._places: dict[str, Place] = {}
        self._updates: set[int] = set()
        self._reached: dict[str, int] = {}
        """The parameters whose gradients a backward has written, each with the update of the last one."""
        self._by_hand = True
        """Whether no optimizer was there at any step."""

    def look(
        self,
        boundary: Boundary,
        phase: Phase | None,
        before: ObjectSnapshot | None,
        after: ObjectSnapshot,
        effects: Sequence[Effect],
        registry: Registry,
        stack: Sequence[FrameType],
        explain: Explain = nothing_is_bad,
        *,
        boundaries: int = 1,
        last: bool = False,
    ) -> list[Finding]:
        """Show a boundary to the rules; what they find that was not found before.

        Args:
            boundary: Where training stands.
            phase: The phase done.
            before: The snapshot from the boundary before; None where nobody looked there.
            after: The snapshot.
            effects: What the phase done did.
            registry: What is alive; refreshed.
            stack: The training thread's frames, innermost first.
            explain: Tells what is not finite and was found since the boundary before, or in the loss that it is given.
            boundaries: The number of boundaries since the one that was looked at before, where `before` was taken: a
                row of evaluations is one phase to who steps.
            last: Nothing will be looked at after it.
        """
        if boundary.index == self._index:
            return []
        follows = boundary.index == self._index + boundaries
        if before is None or not follows:
            self.forget()
        self._whole = self._whole and follows
        self._index = boundary.index
        if phase is not None and phase.place is not None and boundary.done is not None:
            self._places[boundary.done] = phase.place
        if boundary.done == "step" and before is not None:
            self._updates.add(boundary.update)
            self._by_hand = self._by_hand and not registry.has_optimizers
        if boundary.done == "backward":
            written = (one for one in effects if one.kind == "grad" and not (one.after or one.before))
            self._reached.update((one.object.removesuffix(".grad"), boundary.update) for one in written)
        moment = self._moment(boundary, phase, before, after, effects, registry, stack, explain)
        self._measure(moment)
        return [*self._new(moment, last=last)]

    def look_at_call(self, boundary: Boundary, registry: Registry, stack: Sequence[FrameType]) -> list[Finding]:
        """Show the call that begins here to the rules, where the boundary before it was shown when what comes was only
        foretold: a backward that is called on what the model has returned.
        """
        return [*self._new(self._moment(boundary, None, None, {}, (), registry, stack), last=False)]

    def _moment(
        self,
        boundary: Boundary,
        phase: Phase | None,
        before: ObjectSnapshot | None,
        after: ObjectSnapshot,
        effects: Sequence[Effect],
        registry: Registry,
        stack: Sequence[FrameType],
        explain: Explain = nothing_is_bad,
    ) -> Moment:
        moment = Moment(
            boundary,
            phase,
            before,
            after,
            effects,
            registry,
            stack,
            self._places,
            len(self._updates),
            explain,
            self._reached,
            self._scaling,
        )
        moment.say = self.say
        return moment

    def forget(self) -> None:
        """Boundaries have passed that nobody has looked at, or somebody has written to what is alive."""
        self._measures.forget()
        for rule in self._sound():
            rule.forget()

    def met_again(self) -> list[Finding]:
        """The findings that were met again since this was asked, with the update in which they were met last."""
        found, self._again = [*self._again.values()], {}
        return found

    def report(self) -> tuple[list[Finding], Checked]:
        """Everything that was found, and what is right or was not looked at."""
        silent = {finding.rule for finding in self._found.values()}
        right = [words for rule in self._sound() if rule.name not in silent and (words := rule.right())]
        unchecked = [words for rule in self._sound() if (words := rule.unchecked())]
        if self._updates and self._by_hand:
            unchecked.append("what concerns optimizers: the script steps by hand")
        unchecked += [f"{name}: the rule failed ({why})" for name, why in self._failed.items()]
        return [*self._found.values()], Checked(len(self._updates), tuple(right), tuple(unchecked))

    def _measure(self, moment: Moment) -> None:
        measured = [rule for rule in self._sound() if rule.measured]
        try:
            if measured:
                self._measures.look(moment)
        except Exception as error:
            self._failed.update((rule.name, in_words(error)) for rule in measured)

    def _new(self, moment: Moment, *, last: bool) -> Iterator[Finding]:
        for rule in self._sound():
            try:
                for finding in (*rule.look(moment), *(rule.end(moment) if last and self._whole else ())):
                    if self._note(finding):
                        yield self._found[finding.key]
            except Exception as error:
                self._failed[rule.name] = in_words(error)

    def _note(self, finding: Finding) -> bool:
        """Keep a finding; whether it is a new one."""
        known = self._found.get(finding.key)
        if known is not None:
            if finding.last > known.last:
                self._found[finding.key] = msgspec.structs.replace(known, last=finding.last)
                self._again[finding.key] = self._found[finding.key]
            return False
        if finding.key in self._ignored:
            return False
        if is_ignored(finding):
            self._ignored.add(finding.key)
            return False
        self._found[finding.key] = finding
        return True

    def _sound(self) -> list[Rule]:
        return [rule for rule in self._rules if rule.name not in self._failed]
