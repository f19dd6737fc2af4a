"""Trainable parameters in an optimizer that no loss reaches, with the line that cuts the graph, or that nothing uses.

Told at the end of the run of parameters that had no gradient in any update and that nobody has changed, where a single
line of the user's cuts them off, or no line of theirs uses the module. What is neither (an expert that no sample came
to, a part of a library's model) is told as a fact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.membership import in_models, trained_by_nobody
from stepdbg.tracer.checks.moment import Moment, Place, at, some
from stepdbg.tracer.checks.reached.cuts import Cut, cut_behind, line_of_unused
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.layout import optimized_by

_STEPS = 3
"""Steps of an optimizer none of whose parameters has got a gradient, after which that is told."""
_LOOKS = 4
"""Backwards at which it is looked where the graph is cut."""


class NoGradient(Rule):
    """The rule `no-gradient`."""

    name = "no-gradient"
    severity = "warning"

    def __init__(self) -> None:
        self._got: set[str] = set()
        """The parameters that have got a gradient, or were changed."""
        self._cuts: dict[str, Cut | None] = {}
        """Those that a backward did not reach, with what has cut them off from its loss."""
        self._unused: dict[str, tuple[str, Place]] = {}
        """Those of modules that no code of the user's names, with the module and the line that makes it."""
        self._looks = 0
        self._steps: dict[str, int] = {}
        """The number of steps that were made for each parameter that requires a gradient."""
        self._optimizers: dict[str, tuple[int, Place | None, tuple[str, ...]]] = {}
        """The optimizers by name: the number of steps, the place of the last, and the parameters."""
        self._place: Place | None = None
        self._doubtful = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._got |= {one.object.removesuffix(".grad") for one in moment.effects if one.kind in ("grad", "parameter")}
        loss = moment.registry.newest.loss() if moment.graph is not None else None
        if moment.graph is not None and loss is not None and moment.optimizers and self._looks < _LOOKS:
            self._looks += 1
            self._look_for_cuts(moment, moment.graph.name, loss, {id(one) for one in moment.graph.leaves})
        if moment.done == "step" and moment.optimizer is not None and not moment.skipped:
            parameters = moment.parameters
            for name in moment.held_by(moment.optimizer[1]):
                if parameters[name].requires_grad and type(parameters[name]) in (torch.Tensor, nn.Parameter):
                    self._steps[name] = self._steps.get(name, 0) + 1
            self._place = moment.place
            known = self._optimizers.get(moment.optimizer[0], (0, None, ()))
            names = tuple(moment.held_by(moment.optimizer[1]))
            self._optimizers[moment.optimizer[0]] = known[0] + 1, moment.place, names
            self._doubtful = self._doubtful or bool(trained_by_nobody(moment))
        return ()

    def end(self, moment: Moment) -> Iterable[Finding]:
        left = [name for name, steps in self._steps.items() if steps > 1 and name not in self._got]
        if not left or self._doubtful or not moment.reached:
            return
        yield from self._cut_off(moment, left)
        for name, (steps, place, held) in self._optimizers.items():
            idle = len(self._optimizers) > 1 and steps >= _STEPS and held and set(held) <= set(left)
            if idle and all(self._cuts.get(one) is None and one not in self._unused for one in held):
                yield self._idle(moment, name, place, held)
                left = [one for one in left if one not in held]
        yield from self._never_used(moment, [name for name in left if self._cuts.get(name) is None])
        rest = [name for name in left if self._cuts.get(name) is None and name not in self._unused]
        if rest:
            yield self._fact(moment, rest)

    def _look_for_cuts(self, moment: Moment, name: str, loss: torch.Tensor, leaves: set[int]) -> None:
        own = in_models(moment)
        held = {id(one) for _, optimizer in moment.optimizers for one in optimized_by(optimizer)}
        new = {
            key: id(one)
            for key, one in moment.parameters.items()
            if one.requires_grad and id(one) in held & own and id(one) not in leaves
            if key not in self._got and self._cuts.get(key) is None
        }
        if not new:
            return
        for group in _groups(moment, new):
            cut = cut_behind(moment, name, loss, {new[one] for one in group})
            unused = line_of_unused(moment, {new[one] for one in group}) if cut is None else None
            for one in group:
                self._cuts[one] = cut
                if unused is not None and one.startswith(f"{unused[0]}."):
                    self._unused[one] = unused

    def _cut_off(self, moment: Moment, left: Sequence[str]) -> Iterator[Finding]:
        for cut in dict.fromkeys(cut for name in left if (cut := self._cuts.get(name)) is not None):
            names = [name for name in left if self._cuts.get(name) == cut]
            several = len(names) > 1
            yield self.finding(
                moment,
                f"{some(names)} {'get' if several else 'gets'} no gradient: the graph is cut {cut.how} at "
                f"{at(cut.place)}",
                objects=names,
                place=cut.place,
                evidence=self._evidence(moment, names),
                cause=f"the graph between {'them' if several else 'it'} and the loss is cut {cut.how} at "
                f"{at(cut.place)}",
                fix="leave it out, if they are to be trained; else set requires_grad_(False) on them, or do not give "
                "them to the optimizer",
                update=1,
            )

    def _never_used(self, moment: Moment, left: Sequence[str]) -> Iterator[Finding]:
        for module, place in dict.fromkeys(self._unused[name] for name in left if name in self._unused):
            names = [name for name in left if self._unused.get(name) == (module, place)]
            yield self.finding(
                moment,
                f"{some(names)} {'get' if len(names) > 1 else 'gets'} no gradient: {module} is made and never used",
                objects=names,
                place=place,
                evidence=self._evidence(moment, names),
                cause=f"no line but {at(place)}, which makes it, names {module}",
                fix=f"use {module} in forward, or leave it out",
                update=1,
            )

    def _idle(self, moment: Moment, name: str, place: Place | None, held: Sequence[str]) -> Finding:
        return self.finding(
            moment,
            f"{name} makes steps, and no loss that backward is called on reaches any of its {len(held)} parameters",
            objects=held,
            place=place,
            evidence=self._evidence(moment, held),
            cause=f"no backward comes before the step at {at(place)} that leads to the parameters of {name}",
            fix=f"call backward on the loss that {name} is there for, before its step",
            update=1,
        )

    def _fact(self, moment: Moment, names: Sequence[str]) -> Finding:
        several = len(names) > 1
        return self.finding(
            moment,
            f"{some(names)} {'were' if several else 'was'} reached by no loss so far",
            objects=names,
            place=self._place,
            evidence=self._evidence(moment, names),
            cause="nothing in these updates has used them, or what used them leads to no loss",
            severity="info",
            update=1,
        )

    def _evidence(self, moment: Moment, names: Sequence[str]) -> str:
        steps = max(self._steps[name] for name in names)
        return (
            f"{len(names)} of the {len(self._steps)} parameters that optimizers hold had no gradient in any of {steps} "
            "steps"
        )

    def forget(self) -> None:
        self._doubtful = bool(self._steps)

    def right(self) -> str:
        whole = self._steps and self._got >= self._steps.keys()
        return "every trained parameter gets a gradient" if whole else ""


def _groups(moment: Moment, names: Iterable[str]) -> list[list[str]]:
    """Parameters by the outermost modules that hold none but these."""
    left = dict.fromkeys(names)
    found: list[list[str]] = []
    for prefix, module in moment.modules():
        own = [name for name in moment.parameters if name.startswith(f"{prefix}.")]
        inside = [name for name in left if name.startswith(f"{prefix}.")]
        trained = [name for name in own if moment.parameters[name].requires_grad]
        if inside and len(inside) == len(trained) and module is not None:
            found.append(inside)
            for name in inside:
                del left[name]
    return [*found, *([name] for name in left)]
