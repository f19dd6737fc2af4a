"""Expressions of Python that a user writes: compiled without a word of Python's on what it thinks of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

UNCOMPILED = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What is raised by an expression that is none."""


def compiled(source: str | ast.Expression, name: str) -> CodeType:
    """The code of an expression.

    A warning of Python's (`loss is 2`) would be printed among what the script prints. `warnings.catch_warnings` would
    have Python forget which of the script's own warnings have been shown; a list of filters that is only exchanged does
    not.

    Args:
        source: The expression, or its tree.
        name: What its file is called in tracebacks.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError: the source is no expression.
    """
    with unwarned():
        return compile(source, name, "eval", dont_inherit=True)


def tree_of(source: str) -> ast.Expression:
    """The tree of an expression that can be compiled, likewise."""
    import ast

    with unwarned():
        return ast.parse(source, mode="eval")


@contextmanager
def unwarned() -> Iterator[None]:
    """Without warnings of what is compiled."""
    import warnings  # not before the first paint

    filters = warnings.filters
    warnings.filters = [("ignore", None, Warning, None, 0)]
    try:
        yield
    finally:
        warnings.filters = filters


def what_is_wrong(error: BaseException) -> str:
    """Why a source is no expression, in words."""
    return error.msg if isinstance(error, SyntaxError) else type(error).__name__
