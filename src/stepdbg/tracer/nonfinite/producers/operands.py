"""What an operator was given where its result is not finite, in words: `0 / 0 at [3, 7]`, `the largest is 3.2e+38`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from stepdbg.tracer.nonfinite.elements import bad_elements, plain
from stepdbg.tracer.tensors.readable import dtype_name

Operand = tuple[str, Any]
"""What the operator calls it, and itself."""
_SIGNS = {"div": "/", "mul": "×", "sub": "-", "rsub": "-", "add": "+", "pow": "**", "true_divide": "/"}
_SOFTMAX = frozenset(("_softmax", "softmax", "_log_softmax", "log_softmax", "logsumexp", "_safe_softmax"))
_LABELS = frozenset(("nll_loss", "nll_loss_forward", "nll_loss2d_forward", "nll_loss2d", "nll_loss_nd"))
_MEANS = frozenset(("mean", "var", "std", "var_mean", "std_mean", "median", "nanmean"))
_POLES = frozenset((
    "div", "true_divide", "reciprocal", "log", "log2", "log10", "log1p", "rsqrt", "pow", "atanh", "digamma", "lgamma",
    "polygamma", "mvlgamma", "zeta", "tan", "logit", "special_zeta", "special_ndtri", "erfinv", "special_entr",
    *_SOFTMAX, *_LABELS, *_MEANS,
))  # fmt: skip
"""Operators that may give an infinity which is their value there, and no overflow: 1 / 0, log(0)."""
_FEW = 3
"""The most operands that are told of where no element of them belongs to the one that is bad."""


def in_words(name: str, operands: Sequence[Operand], result: torch.Tensor, *, pointwise: bool) -> str:
    """Why the result is not finite, as far as the operands tell.

    Args:
        name: The operator, without its name space: `div`.
        operands: What it was given, in the order in which it takes them.
        result: What it has given back, of which something is not finite.
        pointwise: Whether each element of the result is made of the same element of each operand.
    """
    bad = bad_elements(result, infinite=True)
    if bad is None:
        return ""
    tensors = [(label, one) for label, one in operands if isinstance(one, torch.Tensor)]
    if name in _LABELS and (words := _no_label(operands)):
        return words
    if name in _MEANS and tensors and tensors[0][1].numel() == 0:
        return f"{name} over no element"
    if pointwise and (words := _elementwise(name, operands, result, bad.at)):
        return words + _overflow(name, result, bad.nan, tensors)
    if name in _SOFTMAX and tensors and (words := _row(operands, tensors[0][1], bad.at)):
        return words
    told = [words for label, one in tensors[:_FEW] if (words := _range(label, one))]
    return ", ".join(told) + _overflow(name, result, bad.nan, tensors)


def place(index: Sequence[int]) -> str:
    """`[3, 7]`; empty for a single number."""
    return f"[{', '.join(map(str, index))}]" if index else ""


def number(value: float) -> str:
    """A number in a few digits."""
    return str(int(value)) if math.isfinite(value) and value == int(value) and abs(value) < 1e6 else f"{value:.4g}"


def _elementwise(name: str, operands: Sequence[Operand], result: torch.Tensor, index: tuple[int, ...]) -> str:
    values: list[str] = []
    for _, one in operands:
        if isinstance(one, torch.Tensor):
            try:
                values.append(number(float(plain_or_integers(one).expand(result.shape)[index])))
            except (RuntimeError, TypeError):
                return ""
        elif type(one) in (int, float):
            values.append(number(one))
        if len(values) == 2 and name in _SIGNS:
            break
    at = f" at {place(index)}" if index else ""
    sign = _SIGNS.get(name)
    if sign and len(values) == 2:
        if name == "rsub":
            values.reverse()
        return f"{values[0]} {sign} {values[1]}{at}"
    return f"{name.strip('_')}({', '.join(values)}){at}" if values else ""


def plain_or_integers(tensor: torch.Tensor) -> torch.Tensor:
    """The numbers that lie in this process, integers too."""
    found = plain(tensor)
    return tensor.detach() if found is None else found


def _row(operands: Sequence[Operand], given: torch.Tensor, index: tuple[int, ...]) -> str:
    """The row that a softmax has gone over."""
    numbers = plain(given)
    dim = next((one for label, one in operands if label == "dim" and type(one) is int), -1)
    if numbers is None or numbers.dim() == 0:
        return ""
    dim %= numbers.dim()
    if len(index) != numbers.dim():
        return ""
    row = numbers[tuple(slice(None) if axis == dim else at for axis, at in enumerate(index))]
    where = place([at for axis, at in enumerate(index) if axis != dim])
    of = f" of its row {where}" if where else ""
    if bool((row == -math.inf).all()):
        return f"all {row.numel()} values{of} are -inf"
    return f"the largest of the {row.numel()} values{of} is {number(float(row.amax()))}"


def _no_label(operands: Sequence[Operand]) -> str:
    """A mean over labels none of which counts."""
    found = dict(operands)
    target, ignored = found.get("target"), found.get("ignore_index", -100)
    weight = found.get("total_weight")
    if isinstance(weight, torch.Tensor) and weight.numel() == 1 and float(weight):
        return ""
    if not isinstance(target, torch.Tensor) or type(ignored) is not int or not bool((target == ignored).all()):
        return ""
    return f"all {target.numel()} labels are {ignored} (ignore_index): a mean over none is 0 / 0"


def _range(label: str, tensor: torch.Tensor) -> str:
    numbers = plain(tensor)
    if numbers is None or not numbers.numel() or numbers.is_complex():
        return ""
    if (bad := bad_elements(numbers, infinite=True)) is not None:
        value = number(float(numbers[bad.at]))
        return f"its {label} holds {value}{f' at {place(bad.at)}' if bad.at else ''}"
    low, high = (float(one) for one in torch.aminmax(numbers))
    return (
        f"its {label} is {number(low)}" if low == high else f"its {label} reaches from {number(low)} to {number(high)}"
    )


def _overflow(name: str, result: torch.Tensor, nan: bool, tensors: Sequence[Operand]) -> str:
    """That the result is beyond what its type holds."""
    if nan or name.strip("_") in _POLES or not result.is_floating_point():
        return ""
    if any(bad_elements(one, infinite=True) is not None for _, one in tensors):
        return ""
    return f", beyond what {dtype_name(result.dtype)} holds ({torch.finfo(result.dtype).max:.3g})"
