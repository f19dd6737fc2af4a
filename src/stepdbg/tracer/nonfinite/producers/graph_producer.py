"""The operator that has made a NaN, read off the graph that it left: from what its nodes have saved for backward.

Nothing is computed again but single operators on what their nodes have saved. What a saved tensor is the output of, it
says itself. A value that nobody has saved is judged by those behind it: where they are finite and the operator is not
one that can spoil them, so is it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from msgspec.structs import replace

from stepdbg.protocol.messages import Producer
from stepdbg.tracer.graph.saved_tensors import Kinds
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.nonfinite.elements import bad_elements
from stepdbg.tracer.nonfinite.producers import operands
from stepdbg.tracer.nonfinite.producers.node_names import node_name, node_words

_MOST = 4096
"""Nodes that are looked at, from the output on."""
_RESULTS = ("result", "output", "result0", "out", "grid")
"""What nodes call that which they have made."""
HARMLESS = frozenset((
    "View", "UnsafeView", "ReshapeAlias", "Transpose", "T", "Permute", "Expand", "Unsqueeze", "Squeeze", "Select",
    "Slice", "Split", "Unbind", "Cat", "Stack", "Clone", "ToCopy", "Alias", "AsStrided", "Neg", "Index", "IndexSelect",
    "Gather", "Relu", "Tanh", "Sigmoid", "Embedding", "Detach", "Repeat", "Flip", "Roll", "ConstantPadNd", "Max",
    "Min", "Amax", "Amin", "Clamp", "Abs", "Sort", "Topk", "CopySlices", "Copy", "MaxPool2DWithIndices",
))  # fmt: skip
"""Operators that make no NaN and no infinity of what is finite."""
_SPOILING = frozenset((
    "Div", "Log", "Log2", "Log10", "Log1P", "Sqrt", "Rsqrt", "Reciprocal", "Pow", "Exp", "Expm1", "Acos", "Asin",
    "Atanh", "Acosh", "Std", "Var", "Softmax", "LogSoftmax", "NllLoss", "Cumprod",
))  # fmt: skip
"""Operators that are most likely to."""
_KEEPING_NONE = frozenset((
    "Add", "Sub", "Rsub", "Cat", "Stack", "Where", "Copy", "CopySlices", "MaskedScatter", "IndexPut", "Scatter",
    "ScatterAdd", "IndexAdd", "IndexCopy", "Lerp",
))  # fmt: skip
"""Operators that save none of the values which they are given: one that no graph leads to is known to nobody."""

Value = tuple[Any, int]
"""A node, and which of its outputs."""


class GraphProducer:
    """Looks for the node whose inputs are finite and whose output is not.

    Args:
        name_of_leaf: What a parameter is called.
        known: Values of the graph that are still alive, as what a model has returned: a finite one speaks for its node.
    """

    def __init__(self, name_of_leaf: Callable[[torch.Tensor], str], known: Sequence[torch.Tensor] = ()) -> None:
        self._name_of_leaf = name_of_leaf
        self._kinds = Kinds()
        self._saved: dict[Any, list[operands.Operand]] = {}
        self._values: dict[Value, torch.Tensor] = {}
        """Outputs of nodes, as far as any node has saved them."""
        self._known = known

    def of(self, output: torch.Tensor, *, infinite: bool) -> Producer | str:
        """What has made that tensor bad, or why that is not known.

        Args:
            output: A tensor of which something is not finite.
            infinite: Whether an infinity is bad, where there is no NaN.
        """
        root = output.grad_fn
        if root is None:
            return "no graph leads to it"
        nodes = self._read(root)
        for one in self._known:
            if one.grad_fn is not None and not _is_bad(one, infinite=True):
                self._values.setdefault((one.grad_fn, one.output_nr), one)
        self._values[root, output.output_nr] = output
        nodes.sort(key=lambda node: node._sequence_nr())
        for node in nodes:
            if (found := self._judged(node, infinite)) is not None:
                return found
        unsure = [node for node in nodes if node_name(node) not in HARMLESS and self._is_open(node)]
        likely = [node for node in unsure if node_name(node) in _SPOILING] or unsure
        if len(likely) == 1:
            return self._producer(likely[0], "", certain=len(unsure) == 1)
        if any(self._hooked(node) for node in nodes):
            return "what it was made of lies behind hooks (a checkpoint), which are not run"
        names = ", ".join(dict.fromkeys(node_words(node) for node in likely[-3:]))
        return f"it may be any of {names}" if names else "the graph tells nothing of it"

    def _read(self, root: Any) -> list[Any]:
        """The nodes of the graph; what each has saved is kept."""
        ahead, seen = [root], {root}
        nodes: list[Any] = []
        while ahead and len(nodes) < _MOST:
            node = ahead.pop()
            if node.name().endswith("AccumulateGrad"):
                continue
            nodes.append(node)
            self._saved[node] = list(self._saved_by(node))
            for other, _ in node.next_functions:
                if other is not None and other not in seen:
                    seen.add(other)
                    ahead.append(other)
        return nodes

    def _saved_by(self, node: Any) -> list[operands.Operand]:
        found: list[operands.Operand] = []
        custom = isinstance(node, torch._C._FunctionBase)
        for label in self._kinds.labels(node):
            try:
                raw = getattr(node, f"_raw_saved_{label}")
                several = isinstance(raw, (tuple, list))
                if any(one.unpack_hook is not None for one in (raw if several else (raw,))):
                    continue
                value = getattr(node, "saved_tensors" if custom else f"_saved_{label}")
            except (RuntimeError, AttributeError):  # changed since, or freed
                continue
            for one in value if isinstance(value, (tuple, list)) else (value,):
                if not is_a(one, torch.Tensor):
                    continue
                if one.grad_fn is not None:
                    self._values.setdefault((one.grad_fn, one.output_nr), one)
                elif not custom and label in _RESULTS:
                    self._values.setdefault((node, 0), one)
                found.append((label, one))
        if not custom:
            for label in ("dim", "alpha", "exponent", "ignore_index", "other", "self"):
                number: Any = getattr(node, f"_saved_{label}", None) if hasattr(type(node), f"_saved_{label}") else None
                if type(number) in (int, float) and not any(name == label for name, _ in found):
                    found.append((label, _signed(number)))
        return found

    def _judged(self, node: Any, infinite: bool) -> Producer | str | None:
        """The node as the producer, if its own operands are finite and its output is not, or was not when made again;
        why none can be named, if what it was given is not known.

        Nodes are judged in the order in which they were made: all before it are not bad, as far as is known.
        """
        made = self._values.get((node, 0))
        mine = [(label, one) for label, one in self._saved[node] if not self._is_result(node, label, one)]
        spoilt = [(label, one) for label, one in mine if isinstance(one, torch.Tensor) and _is_bad(one, infinite)]
        if spoilt:
            label, one = spoilt[0]
            if one.grad_fn is None:  # no graph leads there: what is behind it was made without gradients
                what = self._name_of_leaf(one) or f"its {label}"
                found = self._producer(node, f"{what}, made without gradients, held it already")
                return replace(found, given=True)
            before = one.grad_fn
            return self._producer(before, self._why(before, one), certain=node_name(before) not in HARMLESS)
        if made is not None and _is_bad(made, infinite):
            open_behind = self._open_behind(node)
            behind = [one for one in open_behind if node_name(one) not in HARMLESS]
            besides = [one for one in (node, *open_behind) if _takes_unkept(one)]
            if besides and node_name(node) not in _SPOILING:
                return _not_kept(besides, behind)
            likely = [one for one in behind if one.name() == node_name(one) or node_name(one) in _SPOILING]
            if len(likely or behind) == 1 and node_name(node) not in _SPOILING:
                return self._producer((likely or behind)[0], "", certain=False)
            certain = not besides and (not behind or node_name(node) in _SPOILING)
            return self._producer(node, self._why(node, made), certain=certain)
        if made is None and (again := _again(node, mine)) is not None and _is_bad(again, infinite):
            return self._producer(node, self._why(node, again))
        return None

    def _is_result(self, node: Any, label: str, value: Any) -> bool:
        return isinstance(value, torch.Tensor) and (value.grad_fn is node or label in _RESULTS)

    def _is_open(self, node: Any) -> bool:
        """Whether nobody has saved what that node has made."""
        return not any(owner is node for owner, _ in self._values)

    def _open_behind(self, node: Any) -> list[Any]:
        """The nodes that lead to that one and whose outputs nobody has saved, as far as no value is known."""
        found: list[Any] = []
        ahead = [node]
        while ahead:
            for other, number in ahead.pop().next_functions:
                known = other not in self._saved or (other, number) in self._values or other in found
                if not known and _again(other, self._saved[other]) is None:
                    found.append(other)
                    ahead.append(other)
        return found

    def _hooked(self, node: Any) -> bool:
        return node.name().startswith("CheckpointFunction") or (
            bool(self._kinds.labels(node)) and not self._saved[node]
        )

    def _why(self, node: Any, made: torch.Tensor) -> str:
        given = [(label, one) for label, one in self._saved.get(node, ()) if not self._is_result(node, label, one)]
        return operands.in_words(node_words(node), _in_order(given), made, pointwise=_is_pointwise(made, given))

    def _producer(self, node: Any, why: str, *, certain: bool = True) -> Producer:
        leaf = next((leaf for leaf, _ in node.next_functions if leaf is not None and hasattr(leaf, "variable")), None)
        name = self._name_of_leaf(leaf.variable) if leaf is not None else ""
        return Producer(node_words(node), why, name.rpartition(".")[0], certain=certain)


def _again(node: Any, given: Sequence[operands.Operand]) -> torch.Tensor | None:
    """What the operator makes of what its node has saved; None where that is not all that it was given."""
    name = node_words(node)
    if isinstance(node, torch._C._FunctionBase) or not any(isinstance(one, torch.Tensor) for _, one in given):
        return None
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name, None)
    ordered = _in_order(given)
    if function is None or len(ordered) < len(node.next_functions) or name in ("addmm", "baddbmm", "addcmul"):
        return None
    try:
        made = function(*[one for label, one in ordered if label in ("self", "other", "exponent", "mat2", "target")])
    except Exception:  # it takes something else
        return None
    return made if isinstance(made, torch.Tensor) else None


def _takes_unkept(node: Any) -> bool:
    """Whether it was given something that no graph leads to, and that it has not saved: a target, a constant."""
    return node_name(node) in _KEEPING_NONE and any(other is None for other, _ in node.next_functions)


def _not_kept(besides: Sequence[Any], behind: Sequence[Any]) -> str:
    takers = " or ".join(dict.fromkeys(map(node_words, besides)))
    given = f"what {takers} was given besides (a target, a mask, a constant), to which no graph leads"
    others = dict.fromkeys(node_words(one) for one in behind if one not in besides)
    return f"it may be any of {', '.join(list(others)[:3])}, or {given}" if others else f"most likely it is {given}"


def _in_order(given: Sequence[operands.Operand]) -> list[operands.Operand]:
    order = ("self", "input", "mat1", "other", "mat2", "exponent", "target")
    return sorted(given, key=lambda one: order.index(one[0]) if one[0] in order else len(order))


def _is_bad(tensor: torch.Tensor, infinite: bool) -> bool:
    return bad_elements(tensor, infinite=infinite) is not None


def _is_pointwise(made: torch.Tensor, given: Sequence[operands.Operand]) -> bool:
    tensors = [one for _, one in given if isinstance(one, torch.Tensor)]
    return (
        bool(tensors)
        and any(one.shape == made.shape for one in tensors)
        and all(one.dim() <= made.dim() for one in tensors)
    )


def _signed(value: int | float) -> int | float:
    """A number as it was given: torch hands out a negative dimension as an unsigned one."""
    return value - (1 << 64) if type(value) is int and value >= 1 << 63 else value
