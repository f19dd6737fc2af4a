"""Whether a condition is true, without asking a device: a truth value of Python's where nothing of it lies on one, else
a truth value that lies there.

Python itself asks what `not`, `and`, `or` and `a < b < c` combine. Where they stand at the top of a condition, their
parts are evaluated by themselves, and combined on the device.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from types import CodeType
from typing import Any

import torch

from stepdbg.protocol.expressions import compiled, tree_of
from stepdbg.tracer.breakpoints.conditions.condition import Namespace, is_true
from stepdbg.tracer.breakpoints.conditions.words import VOCABULARY
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.session import on_the_way

Verdict = bool | torch.Tensor
"""A truth value; a tensor of one, without dimensions, where it lies on a device."""
_Part = Callable[[Namespace], Verdict]


def truth_of(source: str) -> Callable[[Namespace], Verdict]:
    """How to find out whether an expression is true in a namespace.

    What that raises is the expression's, or a word on why its value is no truth value.
    """
    return _part(tree_of(source).body)


def is_of_words(source: str) -> bool:
    """Whether an expression only compares and combines what the vocabulary gives, or a number or a tensor that bears
    the name of one of its words: then nothing of it waits, and nobody need see to that.
    """
    for node in ast.walk(tree_of(source)):
        if not isinstance(node, _COMBINING):
            return False
        if isinstance(node, ast.Name) and (node.id not in VOCABULARY or node.id == "batch"):
            return False
        if isinstance(node, ast.Call) and not (isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS):
            return False
        if isinstance(node, ast.Compare) and (len(node.ops) > 1 or isinstance(node.ops[0], ast.In | ast.NotIn)):
            return False
    return not any(isinstance(within, _TRUTHS) for within in _below_the_top(tree_of(source).body))


_FUNCTIONS = ("grad_norm", "norm", "mean", "finite", "changed", "ratio", "ema")
_TRUTHS = (ast.BoolOp, ast.Not)
_COMBINING = (
    ast.Expression, ast.Compare, ast.BinOp, ast.UnaryOp, ast.BoolOp, ast.Call, ast.Name, ast.Constant, ast.expr_context,
    ast.operator, ast.unaryop, ast.boolop, ast.cmpop,
)  # fmt: skip


def _below_the_top(node: ast.expr) -> Iterator[ast.AST]:
    """All that Python itself evaluates: what is below `not`, `and` and `or` at the top."""
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield from _below_the_top(operand)
        case ast.BoolOp(values=values):
            for value in values:
                yield from _below_the_top(value)
        case _:
            yield from ast.walk(node)


def _part(node: ast.expr) -> _Part:
    match node:
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _negated(_part(operand))
        case ast.BoolOp(op=op, values=values):
            return _combined([_part(value) for value in values], decisive=isinstance(op, ast.Or))
        case ast.Compare(left=left, ops=ops, comparators=others) if len(ops) > 1:
            if all(isinstance(one, ast.Name | ast.Constant) for one in others[:-1]):  # evaluated twice
                ends = zip([left, *others], ops, others, strict=False)
                return _combined(
                    [_part(ast.copy_location(ast.Compare(a, [op], [b]), node)) for a, op, b in ends], decisive=False
                )
    return _leaf(compiled(ast.Expression(node), "<condition>"))


def _leaf(code: CodeType) -> _Part:
    def evaluated(namespace: Namespace) -> Verdict:
        value: Any = eval(code, namespace)
        if is_a(value, torch.Tensor) and value.numel() == 1 and on_the_way.is_far(value):
            single: torch.Tensor = value.detach().reshape(())
            return single if single.dtype is torch.bool else single.ne(0)
        return is_true(value)

    return evaluated


def _negated(part: _Part) -> _Part:
    def evaluated(namespace: Namespace) -> Verdict:
        found = part(namespace)
        return found.logical_not() if isinstance(found, torch.Tensor) else not found

    return evaluated


def _combined(parts: list[_Part], *, decisive: bool) -> _Part:
    """All of them, or any of them where True is `decisive`. What Python's own truth values decide is not asked on."""

    def evaluated(namespace: Namespace) -> Verdict:
        so_far: torch.Tensor | None = None
        for part in parts:
            found = part(namespace)
            if not isinstance(found, torch.Tensor):
                if found is decisive:
                    return found
            elif so_far is None:
                so_far = found
            else:
                so_far = torch.logical_or(so_far, found) if decisive else torch.logical_and(so_far, found)
        return not decisive if so_far is None else so_far

    return evaluated
