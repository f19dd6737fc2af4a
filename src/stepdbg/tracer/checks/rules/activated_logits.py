"""Probabilities are given to a loss that takes logits: softmax or sigmoid is applied twice.

Read off the graph of the loss before backward goes through it. log_softmax into cross_entropy is legal: the logarithm
of a softmax is unchanged by another log_softmax.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from stepdbg.protocol.messages import Finding
from stepdbg.tracer.checks.loss_graph import LossGraph, kind
from stepdbg.tracer.checks.moment import Moment, at
from stepdbg.tracer.checks.places import line_that_binds_name
from stepdbg.tracer.checks.rule import Rule

_ACTIVATIONS = {"SoftmaxBackward": "softmax", "SigmoidBackward": "sigmoid"}
_LOSSES = {
    "LogSoftmaxBackward": "cross_entropy",
    "BinaryCrossEntropyWithLogitsBackward": "binary_cross_entropy_with_logits",
    "SoftMarginLossBackward": "soft_margin_loss",
}
"""The nodes of losses (of cross_entropy the log_softmax that it begins with) whose input is taken for logits."""


class ActivatedLogits(Rule):
    """The rule `activated-logits`."""

    name = "activated-logits"

    def __init__(self) -> None:
        self._graphs = 0
        self._opaque = False

    def look(self, moment: Moment) -> Iterable[Finding]:
        graph = moment.graph
        if graph is None or graph.root is None:
            return
        self._graphs += 1
        self._opaque = self._opaque or graph.opaque
        for activation, loss in _found(graph):
            takes = "log-probabilities" if loss == "nll_loss" else "logits"
            yield self.finding(
                moment,
                f"{loss} takes {takes}, and is given the output of {activation}",
                objects=[graph.name],
                place=line_that_binds_name(moment, graph.name),
                evidence=f"in the graph of {graph.name}, {activation} lies right before {loss}",
                cause=f"{activation} comes before the loss that backward is called on at {at(moment.here)}",
                fix="use log_softmax before nll_loss"
                if loss == "nll_loss"
                else f"leave {activation} out: {loss} "
                f"applies {'log_softmax' if loss == 'cross_entropy' else 'the sigmoid'} itself",
            )

    def right(self) -> str:
        return "losses that take logits are given logits" if self._graphs and not self._opaque else ""

    def unchecked(self) -> str:
        return f"{self.name}: part of the graph is compiled or a function of the script's" if self._opaque else ""


def _found(graph: LossGraph) -> Iterator[tuple[str, str]]:
    """The activations that lie right before a loss, and the loss."""
    for node in graph.of_kind(*_LOSSES):
        for one in graph.before(node):
            if kind(one) in _ACTIVATIONS:
                yield _ACTIVATIONS[kind(one)], _LOSSES[kind(node)]
    for node in graph.of_kind("NllLossBackward", "NllLoss2DBackward", "NllLossNdBackward"):
        for one in graph.before(node):
            if kind(one) in _ACTIVATIONS:
                yield _ACTIVATIONS[kind(one)], "nll_loss"
