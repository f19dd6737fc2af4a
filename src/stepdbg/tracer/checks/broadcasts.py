"""Where in a loss two tensors were paired each with each, that were meant to be paired one to one.

A prediction of shape `[32, 1]` and a target of shape `[32]` broadcast to `[32, 32]`. What is looked for is that, and
nothing wider: two operands with the same sizes, but for those that are 1, whose result has more elements than either;
and all of that result is summed, or its mean taken, with nothing but element-wise operations in between. A target of
one number, weights of classes and the like expand one operand only.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterator
from typing import Any, NamedTuple

from stepdbg.tracer.checks.loss_graph import VIEWS, LossGraph, Node, kind, output_shape

Shape = tuple[int, ...]
_REDUCTIONS = frozenset(("MeanBackward", "SumBackward", "LinalgVectorNormBackward", "NormBackward"))
_LOSSES = {
    "MseLossBackward": "mse_loss",
    "SmoothL1LossBackward": "smooth_l1_loss",
    "HuberLossBackward": "huber_loss",
    "SoftMarginLossBackward": "soft_margin_loss",
}
_RESIDUALS = {"SubBackward": "-", "RsubBackward": "-", "AddBackward": "+"}
"""Operations that are paired wrongly only where what is not linear follows: a mean of sums is a sum of means."""
_PRODUCTS = {"MulBackward": "*", "DivBackward": "/"}
_PAIRING = frozenset((*_LOSSES, *_RESIDUALS, *_PRODUCTS, "MaximumBackward", "MinimumBackward"))
_BENT = frozenset(
    f"{name}Backward"
    for name in (
        "Pow", "Square", "Abs", "Exp", "Expm1", "Log", "Log1P", "Log2", "Sqrt", "Clamp", "ClampMin", "ClampMax", "Relu",
        "Cosh", "Softplus", "LogSigmoid", "Sigmoid", "Tanh", "Threshold", "Maximum", "Minimum", "LogSigmoidForward",
    )
)  # fmt: skip
"""Element-wise operations that are not linear."""
_LINEAR = frozenset(("NegBackward", "CloneBackward", "ToCopyBackward", "AliasBackward", "StackBackward"))
_MOST = 400


class Broadcast(NamedTuple):
    """Two operands that were paired each with each."""

    node: Node
    """The node of the operation."""
    users: tuple[Node, ...]
    """The nodes from it on to the loss's own: where its result went."""
    operation: str
    """`mse_loss`, or a sign: `-`."""
    known: tuple[tuple[Node, Shape], ...]
    """The operands that have a graph, each with the node that made it, before it was expanded."""
    other: Shape | None
    """The shape of the operand without a graph, where the node has kept it; None where it has not."""
    kept: Any
    """That operand itself, where the node has kept it: perhaps expanded."""
    result: Shape


def broadcasts_in(graph: LossGraph, given: Container[Node]) -> Iterator[Broadcast]:
    """The pairings each with each in a loss.

    Args:
        graph: Of the loss.
        given: The nodes that made the outputs of models: what shapes these have is no pairing's doing.
    """
    if graph.root is None:
        return
    ahead: list[tuple[Node, tuple[Node, ...], bool, bool]] = [(graph.root, (), False, False)]
    seen: set[Any] = set()
    while ahead and len(seen) < _MOST:
        node, users, summed, bent = ahead.pop(0)
        if (node, bent) in seen:
            continue
        seen.add((node, bent))
        what, shape = kind(node), output_shape(node)
        if shape is None:
            continue
        one = math.prod(shape) == 1
        is_loss = what in _LOSSES
        if what in _PAIRING and (summed or is_loss):
            found = _pairing(node, users, what, shape, given)
            if found is not None and (bent or what not in _RESIDUALS):
                yield found
                continue
        if is_loss or (what in ("SubBackward", "AddBackward") and summed and bent and not one):
            continue  # what it was given are predictions and targets (`1 - x` is an Rsub)
        reduces = what in _REDUCTIONS
        passes = what in _BENT or what in _LINEAR or what in _PAIRING or type(node).__name__ in VIEWS
        if not (reduces or passes or (one and not summed)):
            continue
        bends = bent or what in _BENT or what.startswith(("LinalgVectorNorm", "Norm")) or _is_square(node, what)
        for other, number in node.next_functions:
            if other is not None and output_shape(other, number) is not None:
                ahead.append((other, (node, *users), summed or reduces, bends and (summed or reduces)))


def pairs_wrongly(one: Shape, other: Shape) -> bool:
    """Whether two shapes differ in nothing but sizes of 1, and together make more elements than each has."""
    if [size for size in one if size != 1] != [size for size in other if size != 1]:
        return False
    together = broadcast(one, other)
    return together is not None and math.prod(together) > math.prod(one)


def broadcast(one: Shape, other: Shape) -> Shape | None:
    """The shape that two shapes make together; None where they do not fit."""
    length = max(len(one), len(other))
    longer = [(1,) * (length - len(shape)) + shape for shape in (one, other)]
    found = []
    for a, b in zip(*longer, strict=True):
        if a != b and 1 not in (a, b):
            return None
        found.append(b if a == 1 else a)
    return tuple(found)


def kept_by(node: Node, *labels: str) -> list[Any]:
    """The tensors that a node has kept under these names, read without unpacking: none that a hook has packed."""
    found = []
    for label in labels:
        raw = getattr(node, f"_raw_saved_{label}", None)
        try:
            if raw is not None and raw.unpack_hook is None and raw.data is not None:
                found.append(raw.data)
        except (AttributeError, RuntimeError):  # freed, or a torch that does not tell of hooks
            continue
    return found


def _pairing(node: Node, users: tuple[Node, ...], what: str, result: Shape, given: Container[Node]) -> Broadcast | None:
    """How a node pairs its operands, where it may be each with each."""
    operation = _LOSSES.get(what) or _RESIDUALS.get(what) or _PRODUCTS.get(what) or what.removesuffix("Backward")
    edges = [(other, number) for other, number in node.next_functions if other is not None]
    if what in _LOSSES:
        kept = kept_by(node, "self", "target")
        if len(kept) != 2 or (whole := broadcast(tuple(kept[0].shape), tuple(kept[1].shape))) is None:
            return None
        result = whole
    known = []
    for other, number in edges[:2]:
        other, shape = _before_expanding(other, number, result)
        if shape is None or shape == result or kind(other) == "AccumulateGrad" or _is_shaped(other, given):
            return None
        known.append((other, shape))
    if len(known) == 2:
        (a, first), (b, second) = known
        if not pairs_wrongly(first, second) or _source(a) is _source(b):
            return None
        return Broadcast(node, users, operation, tuple(known), None, None, result)
    if len(known) != 1:
        return None
    if what in _LOSSES:
        place = 0 if node.next_functions[0][0] is None else 1
        other_kept = kept_by(node, ("self", "target")[place])
        shape = _unexpanded(other_kept[0])
    else:
        place = 0 if node.next_functions[0][0] is None else 1
        other_kept = kept_by(node, ("self", "other")[place])
        shape = tuple(other_kept[0].shape) if other_kept else None
    if shape is not None and not (pairs_wrongly(known[0][1], shape) and broadcast(known[0][1], shape) == result):
        return None
    if shape is None and not _may_pair(known[0][1], result):
        return None
    return Broadcast(node, users, operation, tuple(known), shape, other_kept[0] if other_kept else None, result)


def _may_pair(shape: Shape, result: Shape) -> bool:
    """Whether some other operand with the same sizes could have made that result with it."""
    sizes = [size for size in shape if size != 1]
    if not sizes or math.prod(result) <= math.prod(shape):
        return False
    own = (1,) * (len(result) - len(shape)) + shape
    others = [whole for whole, mine in zip(result, own, strict=True) if mine == 1 and whole != 1]
    return any(size in sizes for size in others)


def _before_expanding(node: Node, number: int, result: Shape) -> tuple[Node, Shape | None]:
    """The operand as it was before `torch.broadcast_tensors` has expanded it."""
    while kind(node) == "ExpandBackward" and output_shape(node, number) == result and len(node.next_functions) == 1:
        inner, place = node.next_functions[0]
        if inner is None:
            break
        node, number = inner, place
    return node, output_shape(node, number)


def _unexpanded(tensor: Any) -> Shape:
    """The shape that a tensor had before it was expanded: of leading sizes that repeat, nothing is left."""
    sizes = [1 if not stride else size for size, stride in zip(tensor.shape, tensor.stride(), strict=True)]
    while len(sizes) > 1 and sizes[0] == 1:
        sizes.pop(0)
    return tuple(sizes)


def _is_shaped(node: Node, given: Container[Node]) -> bool:
    """Whether an operation that gives a tensor more axes of size 1, or turns them, has made it: on purpose, then."""
    if node in given:
        return False
    if kind(node) in ("TransposeBackward", "TBackward", "PermuteBackward"):
        return True
    if type(node).__name__ not in VIEWS or not node.next_functions or node.next_functions[0][0] is None:
        return False
    inner, number = node.next_functions[0]
    before, after = output_shape(inner, number), output_shape(node)
    if before is None or after is None or after.count(1) > before.count(1) or len(after) > len(before):
        return True
    return _is_shaped(inner, given)


def _source(node: Node) -> Node:
    while type(node).__name__ in VIEWS and node.next_functions and node.next_functions[0][0] is not None:
        node = node.next_functions[0][0]
    return node


def _is_square(node: Node, what: str) -> bool:
    """Whether it multiplies what has a graph with what has one: a square, among others."""
    return what in _PRODUCTS and all(other is not None for other, _ in node.next_functions)
