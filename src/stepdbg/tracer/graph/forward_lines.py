"""What the lines of the user's own functions do to a graph whose frames have gone: the forwards of modules, and the
functions that a statement calls.

Read from their code, so that it is said what stands there; it is told only where a single line does it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from types import CodeType, FrameType, FunctionType
from typing import Any, NamedTuple

from torch import nn

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.layout import modules_of
from stepdbg.tracer.introspect.safe_access import is_a
from stepdbg.tracer.introspect.variable_uses import behind, cuts_in, writes_in

_MOST = 200
"""Pieces of code that are read at most."""
_UNDER = "under no_grad() or the like"


class Line(NamedTuple):
    """A line of a function of the user's."""

    number: int
    function: str
    """The qualified name: `Gate.forward`."""
    what: str
    """The variable that is written there, or what cuts the graph."""


def line_that_writes(models: Iterable[nn.Module]) -> Line | None:
    """The line that writes a variable in place in the forwards of these models; None where there are more, or none."""
    return _only(_forwards(models), writes_in)


def line_that_cuts(frame: FrameType, name: str) -> Line | None:
    """The line that cuts the graph in what the user's frame calls to make a variable; None where there are several, or
    none.

    Args:
        frame: The frame.
        name: The variable.
    """
    variables = {**frame.f_globals, **frames.local_variables(frame)}
    called: list[Any] = [variables.get(one) for one in behind(frame.f_code, frame.f_lasti, name)]
    codes = list(_forwards(one for one in called if is_a(one, nn.Module)))
    guarded = []
    for function in called:
        if type(function) is not FunctionType:
            continue
        inner = function.__dict__.get("__wrapped__")
        if type(inner) is FunctionType and function.__code__.co_filename == _decorators():
            guarded.append(Line(inner.__code__.co_firstlineno, inner.__code__.co_qualname, _UNDER))
            function = inner
        codes.append(function.__code__)
    return guarded[0] if len(guarded) == 1 else _only(codes, cuts_in) if not guarded else None


def _only(codes: Iterable[CodeType], lines_of: Callable[[CodeType], Iterable[tuple[int, str]]]) -> Line | None:
    own = {id(code): code for code in codes if frames.origin(code.co_filename) == "user"}
    found = [(code, *one) for code in list(own.values())[:_MOST] for one in lines_of(code)]
    if len({(code.co_filename, line) for code, line, _ in found}) != 1:
        return None
    code, line, what = found[0]
    return Line(line, code.co_qualname, what)


def _forwards(models: Iterable[nn.Module]) -> Iterator[CodeType]:
    for model in models:
        for _, module in modules_of(model):
            forward: Any = next(
                (vars(one)["forward"] for one in type.mro(type(module)) if "forward" in vars(one)), None
            )
            if type(forward) is FunctionType:
                yield forward.__code__


def _decorators() -> str | None:
    """The file of torch's decorators that switch recording off."""
    return getattr(sys.modules.get("torch.utils._contextlib"), "__file__", None)
