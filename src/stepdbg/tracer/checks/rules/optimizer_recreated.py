"""A new optimizer is made over the same parameters in mid-training, with the same settings: what the old one had
gathered (moments, momentum) is lost.

Legal, and not told: an optimizer that had gathered nothing; a new one that has loaded the state of the old; another
class, other settings or other parameters (a new stage); parameters that the script has set back in between (a fold, a
client of federated learning); an old one that is still there.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from typing import Any, NamedTuple

import torch
from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import groups_of, optimized_by, states_of
from stepdbg.tracer.introspect.plain import plain
from stepdbg.tracer.introspect.safe_access import is_a


class _Known(NamedTuple):
    """An optimizer that has stepped."""

    name: str
    optimizer: weakref.ref[Optimizer]
    kind: type
    parameters: tuple[str, ...]
    settings: tuple[object, ...]
    gathered: tuple[str, ...]
    """The names of what it keeps of each parameter, beside counts."""
    update: int
    """The update of its last step."""


class OptimizerRecreated(Rule):
    """The rule `optimizer-recreated`."""

    name = "optimizer-recreated"

    def __init__(self) -> None:
        self._known: dict[int, _Known] = {}
        """Optimizers by `id`."""
        self._written: set[str] = set()
        """The parameters that the script has written itself since the last step."""
        self._again = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._written |= {one.object for one in moment.by_script if one.kind == "parameter"}
        if moment.done != "step" or moment.optimizer is None:
            return
        name, optimizer = moment.optimizer
        known = self._known.get(id(optimizer))
        if known is None or known.optimizer() is not optimizer:
            now = _seen(moment, name, optimizer)
            loaded = moment.before is not None and any(
                record.kind == "state" and record.owner == name for record in moment.before.values()
            )
            before = [one for one in self._known.values() if one.optimizer() is None and _is_alike(one, now)]
            if before and not loaded and self._written.isdisjoint(now.parameters):
                self._again = True
                yield self._finding(moment, before[-1], now)
            self._known = {key: one for key, one in self._known.items() if one.optimizer() is not None}
        self._known[id(optimizer)] = _seen(moment, name, optimizer)
        self._written.clear()

    def _finding(self, moment: Moment, before: _Known, now: _Known) -> Finding:
        words = ", ".join(before.gathered)
        return self.finding(
            moment,
            f"{now.name} was made anew over the same {len(now.parameters)} parameters: {words} of the steps up to "
            f"update {before.update} are lost",
            objects=[now.name],
            place=moment.place,
            evidence=f"the same class ({now.kind.__name__}), parameters and settings; its state is empty before the "
            f"step of update {moment.update}",
            cause=f"{now.name} is made within the loop, before the step at {at(moment.place)}",
            fix="make the optimizer once, before the loop; to begin with other settings, write them into its "
            "param_groups",
        )

    def forget(self) -> None:
        self._known.clear()
        self._written.clear()

    def right(self) -> str:
        return "optimizers keep their state from one update to the next" if self._known and not self._again else ""


def _seen(moment: Moment, name: str, optimizer: Optimizer) -> _Known:
    states: list[dict[Any, Any]] = [state for _, state in states_of(optimizer)]
    gathered = dict.fromkeys(
        key
        for state in states[:1]
        for key, value in state.items()
        if type(key) is str and is_a(value, torch.Tensor) and value.dim()
    )
    settings = tuple(
        (key, plain(value)) for group in groups_of(optimizer) for key, value in group.items() if key != "params"
    )
    parameters = tuple(str(id(one)) for one in optimized_by(optimizer))
    names = tuple(moment.name_of.get(int(one), one) for one in parameters)
    return _Known(name, weakref.ref(optimizer), type(optimizer), names, settings, tuple(gathered), moment.update)


def _is_alike(before: _Known, now: _Known) -> bool:
    """Whether an optimizer that is gone was one of the same make, and had gathered something."""
    same = before.kind is now.kind and before.parameters == now.parameters and before.settings == now.settings
    return same and bool(before.gathered)
