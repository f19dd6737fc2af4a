"""An optimizer has been given the state of other parameters: `load_state_dict` goes by position, and its parameters
stand in another order than those of the optimizer that was saved, or have other shapes.

Looked at where a state has come into being, or has been changed, by the script and not by a step. Told is what is
certain (`loaded_states.py`): a shape that is not its parameter's, names in the checkpoint that are other parameters',
or bytes that a step of this run has left in another parameter's state.
"""

from __future__ import annotations

import linecache
import re
import weakref
from collections.abc import Iterable

from torch.optim import Optimizer

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.held.loaded_states import Kept, misfits, misnamed
from stepdbg.tracer.checks.moment import Moment, Place, some
from stepdbg.tracer.checks.places import lines_that_name_all
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import states_of
from stepdbg.tracer.objects.variable_names import expressions_for


class WrongState(Rule):
    """The rule `wrong-state`."""

    name = "wrong-state"

    def __init__(self) -> None:
        self._kept = Kept()
        self._seen: dict[int, weakref.ref[Optimizer]] = {}
        """The optimizers that were there at an earlier boundary, by `id`."""
        self._blind = False
        """Whether boundaries have passed since, in which an optimizer may have been made and have stepped."""
        self._loaded = 0
        self._found = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.done == "step" and moment.optimizer is not None:
            self._kept.note(moment, *moment.optimizer)
        given = {one.object.partition(".state[")[0] for one in moment.by_script if one.kind == "state"}
        stepped = moment.optimizer[1] if moment.done == "step" and moment.optimizer is not None else None
        for name, optimizer in moment.optimizers:
            known = self._seen.get(id(optimizer))
            is_new = known is None or known() is not optimizer
            if is_new:
                self._seen[id(optimizer)] = weakref.ref(optimizer)
            if (
                (name in given or is_new)
                and optimizer is not stepped
                and any(state for _, state in states_of(optimizer))
            ):
                found = self._of(moment, name, optimizer)
                if found is not None:
                    self._found = True
                    yield found
        self._blind = False

    def _of(self, moment: Moment, name: str, optimizer: Optimizer) -> Finding | None:
        """What is wrong with the state that an optimizer was given."""
        self._loaded += 1
        if unfit := misfits(moment, optimizer):
            one = unfit[0]
            return self._finding(
                moment,
                name,
                optimizer,
                f"{name} was given a state of other shapes than its parameters': {one.key} of {one.parameter} is "
                f"{_in_words(one.shape)}, and the parameter {_in_words(one.wanted)}",
                [each.parameter for each in unfit],
                f"{len(unfit)} entries of its state have another shape than their parameters",
            )
        moved, by = misnamed(moment, optimizer), "the names in what was loaded"
        if not moved:
            moved, by = self._kept.moved(moment, name), "their bytes, which an earlier step has left there"
        if not moved:
            return None
        first, other = next(iter(moved.items()))
        return self._finding(
            moment,
            name,
            optimizer,
            f"{name} was given the state of other parameters: that of {other} has come to {first}",
            list(moved),
            f"the states of {len(moved)} parameters are those of others, by {by}: {_pairs(moved)}",
        )

    def _finding(
        self, moment: Moment, name: str, optimizer: Optimizer, message: str, objects: list[str], evidence: str
    ) -> Finding:
        return self.finding(
            moment,
            message,
            objects=[*dict.fromkeys(objects)],
            place=_line_that_loads(moment, name, optimizer),
            evidence=evidence,
            cause=f"load_state_dict goes by position, and the parameters that {name} was made of stand in another "
            "order than those of the optimizer that was saved",
            fix=f"make {name} of the same parameters in the same order (and groups) as when its state was saved",
        )

    def forget(self) -> None:
        self._kept = Kept()
        self._blind = bool(self._seen)

    def right(self) -> str:
        return "states that were loaded fit their parameters" if self._loaded and not self._found else ""


def _line_that_loads(moment: Moment, name: str, optimizer: Optimizer) -> Place | None:
    """The only line that calls `load_state_dict` of that optimizer, or of what looks like one; None where there are
    several, or none.
    """
    lines = {place: linecache.getline(*place) for place in lines_that_name_all(moment, "load_state_dict")}
    spaces = frames.scopes(list(moment.stack))
    names = {name}.union(*(expressions_for(space, optimizer) for space in spaces))
    own = "|".join(map(re.escape, names))
    for pattern in (rf"(?<![\w.])({own})\.load_state_dict", r"(?i)\w*opt\w*(\[\w*\])?\.load_state_dict"):
        found = [place for place, text in lines.items() if re.search(pattern, text)]
        if found:
            return found[0] if len(found) == 1 else None
    return None


def _pairs(moved: dict[str, str]) -> str:
    return some(f"{path} has that of {source}" for path, source in moved.items())


def _in_words(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "a number"
