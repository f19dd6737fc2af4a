"""A new optimizer is made over the same parameters in mid-training: what the old one had gathered (moments, momentum)
is lost.

Told where it was made within the loop that steps, or by the same call as the old one, for the same data and with the
same settings. Legal, and not told: an old one that had gathered nothing, or is still there; a new one that has loaded
its state; another class or other parameters; parameters that the script has set back in between (a client of federated
learning); another stage of training.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from torch.optim import LBFGS

from stepdbg.protocol.messages import Effect, Finding, FindingSeverity
from stepdbg.tracer.checks.held.stages import Calls, Stage, data_at, gathered_by
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.objects.loaders.fetched import Fetched


class OptimizerRecreated(Rule):
    """The rule `optimizer-recreated`."""

    name = "optimizer-recreated"

    def __init__(self) -> None:
        self._stages: list[Stage] = []
        """The uses of optimizers, those that are gone too as long as their parameters are there."""
        self._ahead: Calls = ()
        """Where the step that comes is called."""
        self._data: set[object] = set()
        """What it has been computed from."""
        self._fetched: Fetched | None = None
        """The batch that was fetched last then."""
        self._again = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._see_written(moment, [one for one in moment.by_script if one.before])
        if moment.done == "step" and moment.optimizer is not None and not moment.skipped:
            stage = next((one for one in self._stages if one.optimizer() is moment.optimizer[1]), None)
            if stage is not None:
                stage.data |= self._data
                if not stage.updates:
                    yield from self._of_first_step(moment, stage, moment.optimizer[0])
                stage.updates = [*stage.updates[:1], moment.update]
                stage.stepped_at, stage.written = self._ahead, False
                stage.look_for_state()
        self._see_written(moment, [one for one in moment.by_script if not one.before])
        self._see_made(moment)
        if moment.comes == "step":
            self._ahead = frames.user_calls(moment.stack[0] if moment.stack else None)
            self._data, self._fetched = data_at(moment, self._fetched), moment.fetched

    def forget(self) -> None:
        self._stages = []
        self._ahead, self._data = (), set()

    def right(self) -> str:
        stepped = any(len(one.updates) > 1 for one in self._stages)
        return "optimizers keep their state from one update to the next" if stepped and not self._again else ""

    def _see_made(self, moment: Moment) -> None:
        """Note what optimizers there are, and whether those that have not stepped yet have been given a state."""
        for named, optimizer in moment.registry.optimizers():
            stage = next((one for one in self._stages if one.optimizer() is optimizer), None)
            if stage is None:
                self._stages = [one for one in self._stages if all(ref() is not None for ref in one.parameters)]
                self._stages.append(stage := Stage(optimizer, named.made))
            if not stage.updates:
                stage.inherits = stage.inherits or bool(gathered_by(optimizer))

    def _see_written(self, moment: Moment, effects: list[Effect]) -> None:
        """Note whose parameters the script has written itself."""
        names = [one.object for one in effects if one.kind == "parameter"]
        written = {id(moment.parameters[name]) for name in names if name in moment.parameters}
        if written:
            for stage in self._stages:
                stage.written = stage.written or any(id(ref()) in written for ref in stage.parameters)

    def _of_first_step(self, moment: Moment, now: Stage, name: str) -> Iterator[Finding]:
        """Of an optimizer that has just stepped for the first time."""
        before = [one for one in self._stages if one.updates and one.optimizer() is None and _is_lost(one, now)]
        if now.inherits or not before:
            return
        old = before[-1]
        again = bool(now.made) and now.made == old.made
        if now.made_within_the_loop_of(old):
            self._again = True
            where = "in each round of the loop" if again else "within the loop, after it has stepped"
            yield self._finding(moment, old, now, name, where, "error" if again else "warning")
        elif again and now.settings == old.settings and now.data & old.data:
            self._again = True
            yield self._finding(moment, old, now, name, "anew for the same data, by the same call", "warning")

    def _finding(
        self, moment: Moment, old: Stage, now: Stage, name: str, where: str, severity: FindingSeverity
    ) -> Finding:
        words = ", ".join(old.gathered)
        are = "are" if len(old.gathered) > 1 else "is"
        number, kind = len(now.parameters), type.__dict__["__name__"].__get__(now.kind)
        return self.finding(
            moment,
            f"{name} was made anew over the same {f'{number} parameters' if number > 1 else 'parameter'}: {words} "
            f"of the steps up to update {old.updates[-1]} {are} lost",
            objects=[name],
            place=now.place or moment.place,
            evidence=f"another {kind} has stepped from update {old.updates[0]} to {old.updates[-1]} and is gone; the "
            f"state of this one was empty before its first step, in update {moment.update}",
            cause=f"{name} is made {where}" + (f", at {at(now.place)}" if now.place else ""),
            fix="make the optimizer once, before the loop; to go on with other settings, write them into its "
            "param_groups",
            severity=severity,
        )


def _is_lost(old: Stage, now: Stage) -> bool:
    """Whether the state of an optimizer that is gone would be of use to one of the same make."""
    # (a fresh LBFGS for each batch is usual: curvature of another batch does not help)
    useful = bool(old.gathered) and old.kind is now.kind and not issubclass(old.kind, LBFGS)
    return useful and not old.written and old.holds_the_same(now)
