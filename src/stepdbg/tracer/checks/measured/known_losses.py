"""Losses of torch's own make in a graph, worked out again from what their nodes have saved."""

from __future__ import annotations

import torch

from stepdbg.tracer.checks.loss_graph import VIEWS, Node, kind
from stepdbg.tracer.checks.measured.saved_values import saved

_LOSSES = ("NllLossBackward", "NllLoss2DBackward", "MseLossBackward", "BinaryCrossEntropyWithLogitsBackward",
           "BinaryCrossEntropyBackward")  # fmt: skip
_FACTORS = ("MulBackward", "DivBackward")


def known_loss(node: Node | None) -> Node | None:
    """The node of the loss, behind nothing but products and quotients with numbers from that node on."""
    while node is not None and kind(node) not in _LOSSES:
        behind = [other for other, _ in node.next_functions if other is not None]
        if len(behind) != 1 or not (kind(node) in _FACTORS or type(node).__name__ in VIEWS):
            return None
        node = behind[0]
    return node


def own_value(node: Node) -> tuple[int, float]:
    """The number of rows or elements that count, and their mean loss; 0 where that is not known."""
    given, target = saved(node, "self"), saved(node, "target")
    if given is None or target is None or saved(node, "weight") is not None:
        return 0, 0.0
    if kind(node).startswith("Nll"):
        if given.dim() < 2 or target.is_floating_point():
            return 0, 0.0
        valid = (target >= 0) & (target < given.shape[1]) & (target != ignored_class(node))
        rows = given.movedim(1, -1)[valid]
        number = rows.shape[0]
        return number, float(-rows.gather(-1, target[valid].unsqueeze(-1)).double().mean()) if number else 0.0
    if given.shape != target.shape:
        return 0, 0.0
    given, target = given.double(), target.double()
    if kind(node) == "MseLossBackward":
        return given.numel(), float((given - target).square().mean())
    if kind(node) == "BinaryCrossEntropyBackward":
        return given.numel(), float(torch.nn.functional.binary_cross_entropy(given, target))
    if saved(node, "pos_weight") is not None:
        return 0, 0.0
    return given.numel(), float(torch.nn.functional.binary_cross_entropy_with_logits(given, target))


def ignored_class(node: Node) -> int:
    """The class that does not count, as a number with a sign."""
    number = int(getattr(node, "_saved_ignore_index", -100))
    return number - (1 << 64) if number >= 1 << 63 else number
