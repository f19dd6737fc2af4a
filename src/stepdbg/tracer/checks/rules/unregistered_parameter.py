"""A layer gets gradients, and no module knows of it: it is in a Python list, or made anew in each forward.

What is looked at are leaves of the loss's graph that are `nn.Parameter`s, in no model and in no optimizer. A plain
tensor that requires a gradient is not told: it may be an input that is differentiated by.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator

import torch
from torch import nn

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.held.unregistered import Hidden, hidden_in, line_that_sets, lines_that_make_layers
from stepdbg.tracer.checks.membership import in_models, in_optimizers
from stepdbg.tracer.checks.moment import Moment, at, some
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.tensors.readable import shape_of

_Shape = tuple[int, ...]


class UnregisteredParameter(Rule):
    """The rule `unregistered-parameter`."""

    name = "unregistered-parameter"

    def __init__(self) -> None:
        self._hidden: list[tuple[weakref.ref[torch.Tensor], Hidden]] = []
        """What this update's backward leads to and stands in a container."""
        self._loose: tuple[int, list[weakref.ref[torch.Tensor]], list[_Shape]] = (0, [], [])
        """What the newest backward led to and is nowhere: the update, the leaves, and their shapes."""
        self._graphs = 0
        self._found = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.graph is not None and moment.optimizers:
            yield from self._of_graph(moment, moment.graph.leaves)
        if moment.done == "step" and moment.optimizer is not None:
            held = in_optimizers(moment)
            alone = [one for ref, one in self._hidden if (leaf := ref()) is not None and id(leaf) not in held]
            self._hidden = []
            for container in dict.fromkeys(one.container for one in alone):
                yield self._in_container(moment, [one for one in alone if one.container == container])

    def _of_graph(self, moment: Moment, leaves: list[torch.Tensor]) -> Iterator[Finding]:
        """Note what the graph of a loss leads to."""
        self._graphs += 1
        own = [one for one in leaves if is_a(one, nn.Parameter)]
        known = in_models(moment) | in_optimizers(moment) if own else set()
        unknown = [one for one in own if id(one) not in known]
        if not unknown:
            return
        hidden = dict(hidden_in(moment))
        scope = moment.registry.scope
        by_id = {id(one): one for one in unknown}
        meant = [(by_id[key], one) for key, one in hidden.items() if key in by_id and one.training]
        # (a helper that is hidden on purpose is in eval mode)
        self._hidden += [(weakref.ref(leaf), one) for leaf, one in meant]
        loose = [one for one in unknown if id(one) not in hidden and id(one) not in scope]
        update, before, shapes = self._loose
        now = [*map(shape_of, loose)]
        if not loose or update == moment.update:
            return
        again = before and shapes == now and all(all(ref() is not one for one in loose) for ref in before)
        self._loose = moment.update, [weakref.ref(one) for one in loose], now
        if again and (made := lines_that_make_layers(moment)):
            yield self._made_anew(moment, made, now)

    def _in_container(self, moment: Moment, found: list[Hidden]) -> Finding:
        self._found = True
        one = found[0]
        names = [each.name for each in found]
        owner = type.__dict__["__name__"].__get__(one.owner)
        several = len(names) > 1
        are = "are" if several else "is"
        leaves = "leaves" if several else "leaf"
        plain = "plain" if one.kind == "object" else "Python"
        fix = f"self.{one.attribute} = nn.{_module_for(one)}(...)"
        if one.kind == "object":
            fix = f"make the class of {one.container} an nn.Module, and its lists ModuleLists"
        return self.finding(
            moment,
            f"{some(names)} {'get' if several else 'gets'} gradients and {are} among no module's "
            f"parameters: {one.container} is a {plain} {one.kind}, and no optimizer steps what is in it",
            objects=names,
            place=line_that_sets(one.owner, one.attribute) or moment.place,
            evidence=f"{len(names)} {leaves} of the loss's graph {are} in "
            f"{one.container}, and neither in {some(name for name, _ in moment.models)} nor in "
            f"{some(name for name, _ in moment.optimizers)}",
            cause=f"{owner}.{one.attribute} is a {plain} {one.kind}: nn.Module registers modules and parameters, and "
            f"does not look into {one.kind}s",
            fix=f"{fix}, before the optimizer is made",
        )

    def _made_anew(self, moment: Moment, made: list[tuple[tuple[str, int], str]], shapes: list[_Shape]) -> Finding:
        self._found = True
        place, kind = made[0]
        sizes = some(dict.fromkeys("×".join(map(str, shape)) or "a number" for shape in shapes))
        lines = some(at(each) for each, _ in made)
        return self.finding(
            moment,
            f"each forward goes through {len(shapes)} new parameter{'s' if len(shapes) > 1 else ''} ({sizes}), which "
            "no module holds and no optimizer steps",
            objects=[kind],
            place=place,
            evidence=f"the graphs of updates {moment.update - 1} and {moment.update} lead to different tensors of "
            "these shapes, in no model, no optimizer and no variable",
            cause=f"{kind} is made anew in each forward, at {lines}",
            fix=f"make it once, in __init__ (self.layer = {kind}(...)), and call it in forward",
        )

    def forget(self) -> None:
        self._hidden = []
        self._loose = (0, [], [])

    def right(self) -> str:
        return "every layer that the loss leads to is known to a module" if self._graphs and not self._found else ""


def _module_for(hidden: Hidden) -> str:
    """What ought to stand in the place of the container."""
    module = "ParameterList" if hidden.name.endswith("]") else "ModuleList"
    return module.replace("List", "Dict") if hidden.kind == "dict" else module
