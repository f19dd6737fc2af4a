"""A target or teacher that should be constant gets gradients: backward goes through what a prediction is held against.

A warning, since nothing but time and memory is lost where no optimizer holds the target. (What tells a target from a
model that was forgotten: `reached/targets.py`.)
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import Node
from stepdbg.tracer.checks.membership import in_optimizers
from stepdbg.tracer.checks.moment import Moment, Place, at
from stepdbg.tracer.checks.places import line_that_binds_name
from stepdbg.tracer.checks.reached.targets import Target, Targets, bootstrapped, made_by
from stepdbg.tracer.checks.rule import Rule
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.variable_uses import lines_behind, lines_that_name


class TargetNotDetached(Rule):
    """The rule `target-not-detached`."""

    name = "target-not-detached"
    severity = "warning"

    def __init__(self) -> None:
        self._targets = Targets()
        self._graphs = 0
        self._told = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        targets = self._targets.see(moment)
        graph = moment.graph
        if graph is None or not moment.optimizers:
            return
        self._graphs += 1
        for target in targets:
            self._told = True
            yield self._constant(moment, graph.name, target)
        if not targets and graph.whole and (chain := bootstrapped(graph, in_optimizers(moment))):
            self._told = True
            yield self._own_maximum(moment, graph.name, chain)

    def _constant(self, moment: Moment, loss: str, target: Target) -> Finding:
        place = _place(moment, target.nodes, loss, target.name.rpartition(".")[2])
        count = len(target.parameters)
        harm = "an optimizer trains it with them" if target.held else "no optimizer holds it"
        return self.finding(
            moment,
            f"{target.name} gets gradients, and what it computes is only a target: backward of {loss} goes through it",
            objects=target.parameters,
            place=place,
            evidence=f"the graph of {loss} leads to the {count} parameters of {target.name}; {target.why}; {harm}",
            cause=f"what {target.name} computes at {at(place)} is not detached",
            fix=f"call {target.name} under torch.no_grad(), or detach what it computes",
        )

    def _own_maximum(self, moment: Moment, loss: str, chain: Sequence[Node]) -> Finding:
        place = _place(moment, chain, loss, "max")
        return self.finding(
            moment,
            f"the target of {loss} is made of the network's own outputs, and gets gradients: backward goes through "
            "both sides",
            objects=[loss],
            place=place,
            evidence=f"one side of {loss} is a constant plus a multiple of the maximum of what the same parameters "
            "compute that the other side is made by",
            cause=f"the discounted maximum at {at(place)} is not detached",
            fix="compute the target under torch.no_grad(), or detach it",
        )

    def forget(self) -> None:
        self._targets.forget()

    def right(self) -> str:
        return "no target gets gradients" if self._graphs and not self._told else ""


def _place(moment: Moment, nodes: Sequence[Node], loss: str, name: str) -> Place | None:
    """The line that makes the variable which holds the target; else the only one behind the loss that names the model;
    else that of backward.
    """
    names = made_by(moment)
    for node in nodes:
        if node in names and (place := line_that_binds_name(moment, names[node])) is not None:
            return place
    for frame in moment.stack:
        code = frame.f_code
        if frames.origin(code.co_filename) == "user":
            lines = lines_behind(code, frame.f_lasti, loss) & set(lines_that_name(code, name))
            return (code.co_filename, lines.pop()) if len(lines) == 1 else moment.here
    return moment.here
