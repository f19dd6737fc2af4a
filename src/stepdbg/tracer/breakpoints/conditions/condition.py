"""A condition of a breakpoint, or the words of its log message: compiled once, evaluated in the user's frame.

What is evaluated sees the variables of the frame, and beside them the vocabulary. A name that the frame gives to a
number or a tensor means that, unless it is called; any other word of the vocabulary (`loss`, which may be a function of
the user's) means the vocabulary's. A function of the vocabulary that stands where a value is wanted is refused, unless
the frame has something of that name.

A condition that reads one thing alone which the wrapper of a phase has at hand in a free run (the loss that `backward`
is called on, the norm of all gradients before a step) is decided there: where it does not hold, nothing else is looked
at; where it holds or raises, the boundary is looked at in full, and the condition evaluated again.
"""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Callable, Sequence
from numbers import Number
from types import FrameType
from typing import Any, Protocol

import torch

from stepdbg.protocol.breakpoint_text import log_source
from stepdbg.protocol.expressions import compiled, tree_of
from stepdbg.tracer.breakpoints.conditions.words import FUNCTIONS, VOCABULARY
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.stack import local_variable
from stepdbg.tracer.python.namespace import names_in


class Words(Protocol):
    """The vocabulary."""

    def __contains__(self, name: object) -> bool: ...

    def __getitem__(self, name: str) -> Any: ...


class Condition:
    """One expression.

    Args:
        source: An expression of Python.
    """

    def __init__(self, source: str) -> None:
        self.code = compiled(source, "<condition>")
        self.names = names_in(self.code)
        """All names that the expression reads."""
        nodes = [*ast.walk(tree_of(source))]
        calls = [node.func for node in nodes if isinstance(node, ast.Call)]
        self.calls = frozenset(one.id for one in calls if isinstance(one, ast.Name))
        """The names that the expression calls."""
        self.bare = _bare(nodes)
        """The functions of the vocabulary that the expression names where their value would stand."""
        called = {one.id if isinstance(one, ast.Name) else getattr(one, "attr", "") for one in calls}
        loops = (ast.comprehension, ast.Lambda, ast.NamedExpr, ast.Await)
        looped = any(isinstance(node, loops) for node in nodes)
        self.is_simple = self.names <= _CALM | VOCABULARY.keys() and not (looped or self.bare)
        """Whether the expression reads nothing but the vocabulary and a few functions of Python's: it ends, and runs
        nobody's code."""
        self.may_draw = not called <= _CALM | VOCABULARY.keys()
        """Whether the expression calls more than the vocabulary and what is known to draw no random numbers."""

    @classmethod
    def of_log(cls, words: str) -> Condition:
        """The words of a log message, whose value is the message."""
        return cls(log_source(words))

    def value(self, frame: FrameType | None, words: Words) -> Any:
        """What the expression gives in that frame, with these words beside its variables."""
        return eval(self.code, Namespace(frame, words, self))


class Namespace(dict[str, Any]):
    """What an expression sees. (`eval` takes a dictionary for its globals, whose `__missing__` Python asks.)"""

    def __init__(self, frame: FrameType | None, words: Words, what: Condition) -> None:
        super().__init__(__builtins__=builtins)
        self._calls, self._bare = what.calls, what.bare
        self._frame = frame
        self._words = words

    def __missing__(self, name: str) -> Any:
        own = self._variable(name)
        given = own is not _NONE
        if given and is_value(own) and not (name in self._calls and name in self._words):
            return own
        if name in self._bare:  # as a value it would be true, whatever is the case
            if given:
                return own
            raise TypeError(f"{name} is a function: write {FUNCTIONS[name]}")
        if name in self._words:
            return self._words[name]
        if given:
            return own
        raise KeyError(name)

    def _variable(self, name: str) -> Any:
        frame = self._frame
        if frame is None:  # the script has ended
            main = sys.modules.get("__main__")
            return vars(main).get(name, _NONE) if main is not None else _NONE
        own = local_variable(frame, name, _NONE)
        if own is not _NONE:
            return own
        return frame.f_globals.get(name, _NONE)


_NONE = object()


def _bare(nodes: Sequence[ast.AST]) -> frozenset[str]:
    """The functions of the vocabulary that are neither called nor handed to a call (`map(norm, layers)`)."""
    calls = [node for node in nodes if isinstance(node, ast.Call)]
    used = {id(one) for call in calls for one in (call.func, *call.args, *(word.value for word in call.keywords))}
    names = (node for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load))
    return frozenset(one.id for one in names if one.id in FUNCTIONS and id(one) not in used)


_CALM = frozenset(
    [
        "abs",
        "all",
        "any",
        "float",
        "int",
        "len",
        "max",
        "mean",
        "min",
        "norm",
        "round",
        "sum",
        "item",
        "std",
        "var",
        "isfinite",
        "isnan",
        "isinf",
        "numel",
        "size",
        "square",
        "sqrt",
        "detach",
        "argmax",
        "argmin",
        "count_nonzero",
        "dim",
    ]
)
"""Functions and methods that draw no random numbers."""


def is_value(one: object) -> bool:
    """Whether that is a number or a tensor, and so may be meant where a word of the vocabulary stands."""
    return is_a(one, (Number, torch.Tensor)) and not is_a(one, bool)


def is_true(value: object) -> bool:
    """Whether a condition with that value holds.

    Raises:
        ValueError: it is a tensor of several elements, of which some are true and some are not.
    """
    if is_a(value, torch.Tensor) and value.numel() > 1:  # type: ignore[attr-defined]
        raise ValueError(
            f"the condition gives {value.numel()} values, not one;"  # type: ignore[attr-defined]
            " put .any() or .all() around what is compared"
        )
    return bool(value)


def loss_condition(conditions: Sequence[str]) -> Callable[[float], bool] | None:
    """Whether any of these conditions may hold for a loss of that value; None where there are none.

    Args:
        conditions: Expressions that read nothing but `loss`.
    """
    if not conditions:
        return None
    holds = _any_of(conditions, "loss")

    def may_hold(loss: float) -> bool:
        try:
            return bool(holds(loss))
        except Exception:  # told where it is evaluated in full
            return True

    return may_hold


def norm_condition(conditions: Sequence[str], norm: Callable[[], float]) -> Callable[[], bool] | None:
    """Whether any of these conditions may hold just now; None where there are none, or one asks for more.

    Args:
        conditions: Expressions that read nothing but `grad_norm`.
        norm: The norm of all gradients.
    """
    if not conditions or not all(map(_asks_for_all, conditions)):
        return None
    holds = _any_of(conditions, "grad_norm")

    def may_hold() -> bool:
        try:
            return bool(holds(norm))
        except Exception:  # told where it is evaluated in full
            return True

    return may_hold


def _any_of(conditions: Sequence[str], name: str) -> Callable[..., object]:
    """A function of what has that name: whether any of the expressions is true."""
    holds = " or ".join(f"({one})" for one in conditions)
    function: Callable[..., object] = eval(compiled(f"lambda {name}: {holds}", "<condition>"), {})
    return function


def _asks_for_all(condition: str) -> bool:
    """Whether an expression names `grad_norm` only to call it, of all gradients: once, since each call is work."""
    nodes = [*ast.walk(tree_of(condition))]
    names = [node for node in nodes if isinstance(node, ast.Name)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    return len(names) == len(calls) == 1 and not (calls[0].args or calls[0].keywords)
