"""backward is called on a loss that no parameter reaches: it has no graph, or was made to require a gradient by hand.

A loss without a graph is told at once: backward will refuse it. One that is a leaf itself, or whose graph ends in no
parameter, is told at the end of the run, if steps were made and no backward has reached a parameter until then. (A leaf
may stand for an empty batch, once in a while.)
"""

from __future__ import annotations

from collections.abc import Iterable

import torch

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import LossGraph
from stepdbg.tracer.checks.membership import in_models, in_optimizers
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.reached.cuts import Cut, cut_before_loss
from stepdbg.tracer.checks.rule import Rule


class BackwardWithoutGraph(Rule):
    """The rule `backward-without-graph`."""

    name = "backward-without-graph"

    def __init__(self) -> None:
        self._first: Finding | None = None
        """The first backward on a loss that reaches no parameter."""
        self._reached = False
        """Whether a parameter has got a gradient in any way."""
        self._steps = 0

    def look(self, moment: Moment) -> Iterable[Finding]:
        self._reached = self._reached or bool(moment.reached) or any(one.kind == "grad" for one in moment.effects)
        if moment.done == "step":
            self._steps += 1
        graph = moment.graph
        loss = moment.registry.newest.loss() if graph is not None else None
        if graph is None or loss is None:
            return
        known = in_models(moment) | in_optimizers(moment)
        if graph.root is None and not graph.leaves:
            if moment.optimizers:
                yield self._told(moment, graph, loss, "has no graph: backward is refused")
        elif graph.opaque or not graph.whole or any(id(one) in known for one in graph.leaves):
            self._reached = True
        elif self._first is None and not self._reached and moment.optimizers:
            alone = graph.root is None
            ends = "is a leaf that was made to require a gradient" if alone else "has a graph that ends in no parameter"
            self._first = self._told(moment, graph, loss, f"{ends}: backward reaches no parameter")

    def end(self, moment: Moment) -> Iterable[Finding]:
        return [self._first] if self._first is not None and not self._reached and self._steps > 1 else []

    def _told(self, moment: Moment, graph: LossGraph, loss: torch.Tensor, what: str) -> Finding:
        cut: Cut | None = cut_before_loss(moment, graph.name, loss)
        trained = [one for one in moment.parameters.values() if one.requires_grad]
        if not trained:
            cause, cut = "none of the parameters requires a gradient", None
        elif cut is not None:
            cause = f"the graph is cut {cut.how} at {at(cut.place)}"
        else:
            cause = f"what {graph.name} is computed from has no graph (detach, no_grad, a number or numpy)"
        return self.finding(
            moment,
            f"{graph.name}, on which backward is called at {at(moment.here)}, {what}; {cause}",
            objects=[graph.name],
            place=cut.place if cut is not None else moment.here,
            evidence=f"{graph.name}.grad_fn leads to none of the {len(trained)} parameters that require a gradient",
            cause=cause,
            fix="compute the loss from the model's outputs by differentiable operations only, outside of no_grad, and "
            "do not set requires_grad on it",
        )

    def right(self) -> str:
        return "backward reaches parameters" if self._reached and self._steps else ""
