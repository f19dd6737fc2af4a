"""The first loss is far above that of a model that knows nothing: ln(classes), or the variance of the target.

Read off the operands that the loss's node has saved, before backward goes through it in the first update. A loss far
below is that of a model that was trained before.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import torch
from torch.nn import functional

from stepdbg.protocol.messages import Finding, FindingSeverity
from stepdbg.tracer.checks.loss_graph import LossGraph, Node, kind
from stepdbg.tracer.checks.measured.saved_values import saved
from stepdbg.tracer.checks.moment import Moment, Place, at
from stepdbg.tracer.checks.rule import Rule

_CLASSES, _BEYOND = 3.0, 2.0
"""A cross entropy is far off above so many times ln(classes), and so much above it."""
_BINARY = 5.0
"""A binary one above so many times ln(2)."""
_VARIANCE = 100.0
"""A squared error above so many times the variance of its target..."""
_SCALE = 10.0
"""...where predictions are so many times as large as targets, or targets are larger than that."""
_FEWEST = 8
"""Elements of a target that has a variance to speak of."""
_INITIAL = "scale the inputs, and initialise the last layer with small weights"


class InitialLoss(Rule):
    """The rule `initial-loss`."""

    name = "initial-loss"
    severity = "warning"
    exact = False

    def __init__(self) -> None:
        self._seen: set[Place | None] = set()
        self._near = 0

    def look(self, moment: Moment) -> Iterable[Finding]:
        if moment.comes != "backward" or moment.updates or moment.here in self._seen:
            return
        graph = moment.graph
        if graph is None:
            return
        self._seen.add(moment.here)
        for node in graph.of_kind("NllLossBackward", "NllLoss2DBackward"):
            if kind(next(iter(graph.before(node)), None)) == "LogSoftmaxBackward":
                yield from self._of_classes(moment, graph, node)
        for node in graph.of_kind("BinaryCrossEntropyWithLogitsBackward"):
            yield from self._of_two(moment, graph, node)
        for node in graph.of_kind("MseLossBackward"):
            yield from self._of_squares(moment, graph, node)

    def right(self) -> str:
        return "the first loss is near that of a model that knows nothing, or better" if self._near else ""

    def _of_classes(self, moment: Moment, graph: LossGraph, node: Node) -> Iterator[Finding]:
        given, target = saved(node, "self"), saved(node, "target")
        if given is None or target is None or given.dim() < 2 or target.is_floating_point():
            return
        classes = given.shape[1]
        valid = (target >= 0) & (target < classes)
        rows = given.movedim(1, -1)[valid]
        if classes < 2 or not rows.numel():
            return
        if target.numel() == classes and bool((target.flatten().sort()[0].diff() > 0).all()):
            return  # each sample is its own class: a contrastive loss, whose temperature spreads logits on purpose
        loss = float(-rows.gather(-1, target[valid].unsqueeze(-1)).double().mean())
        known = math.log(classes)
        if not math.isfinite(loss) or loss <= max(_CLASSES * known, known + _BEYOND):
            self._near += math.isfinite(loss)
            return
        spread = float(rows.double().std(dim=-1).mean())
        yield self._far(
            moment,
            graph,
            f"the first {graph.name} is {loss:.3g}, where a model that knows nothing has ln({classes}) = {known:.3g}",
            evidence=f"a cross entropy of {loss:.4g} is {loss / known:.1f} times ln({classes}) (threshold: "
            f"{_CLASSES:g} times); the logits of a sample spread by {spread:.3g}",
            cause=f"the model is sure of wrong classes before it has learned anything: its logits spread by "
            f"{spread:.3g}, and those of a fresh model by less than 1",
            fix=_INITIAL,
        )

    def _of_two(self, moment: Moment, graph: LossGraph, node: Node) -> Iterator[Finding]:
        given, target = saved(node, "self"), saved(node, "target")
        if (
            given is None
            or target is None
            or given.shape != target.shape
            or not bool((target - 0.5).abs().max() <= 0.5)
        ):
            return
        loss = float(functional.binary_cross_entropy_with_logits(given.double(), target.double()))
        known = math.log(2)
        if not math.isfinite(loss) or loss <= _BINARY * known:
            self._near += math.isfinite(loss)
            return
        size = _size(given)
        yield self._far(
            moment,
            graph,
            f"the first {graph.name} is {loss:.3g}, where a model that knows nothing has ln(2) = {known:.3g}",
            evidence=f"a binary cross entropy of {loss:.4g} is {loss / known:.1f} times ln(2) (threshold: {_BINARY:g} "
            f"times); the logits have a root mean square of {size:.3g}",
            cause=f"the model is sure of wrong answers before it has learned anything: its logits have a root mean "
            f"square of {size:.3g}",
            fix=_INITIAL,
        )

    def _of_squares(self, moment: Moment, graph: LossGraph, node: Node) -> Iterator[Finding]:
        if any(one is not None for one, _ in node.next_functions[1:]):
            return  # what stands in the target's place is computed by the model: mse_loss(target, prediction)
        given, target = saved(node, "self"), saved(node, "target")
        if given is None or target is None or given.shape != target.shape or target.numel() < _FEWEST:
            return
        loss = float((given - target).double().square().mean())
        variance, mean = float(target.double().var(correction=0)), float(target.double().mean())
        if not math.isfinite(loss) or loss <= _VARIANCE * variance or variance <= 1e-8 * max(mean * mean, 1e-20):
            self._near += math.isfinite(loss) and variance > 0
            return
        predictions, targets = _size(given), _size(target)
        large = predictions > _SCALE * targets
        severity: FindingSeverity = "warning" if large or targets > _SCALE else "info"
        yield self._far(
            moment,
            graph,
            f"the first {graph.name} is {loss:.3g}, where a model that predicts the target's mean has {variance:.3g}",
            evidence=f"a squared error of {loss:.4g} is {loss / variance:.0f} times the variance of the target "
            f"(threshold: {_VARIANCE:g} times); predictions have a root mean square of {predictions:.3g}, targets "
            f"one of {targets:.3g} and a mean of {mean:.3g}",
            cause=f"predictions begin at {predictions:.3g} in root mean square, targets lie at {targets:.3g}"
            if large
            else f"the target's mean of {mean:.3g} is far from 0, where the model begins",
            fix=_INITIAL if large else "standardise the target, or begin with its mean as the last layer's bias",
            severity=severity,
        )

    def _far(
        self,
        moment: Moment,
        graph: LossGraph,
        message: str,
        *,
        evidence: str,
        cause: str,
        fix: str,
        severity: FindingSeverity = "warning",
    ) -> Finding:
        where = f" (backward at {at(moment.here)})"
        return self.finding(
            moment, message, objects=[graph.name], evidence=evidence + where, cause=cause, fix=fix, severity=severity
        )


def _size(tensor: torch.Tensor) -> float:
    """Its root mean square."""
    return float(tensor.double().square().mean().sqrt())
