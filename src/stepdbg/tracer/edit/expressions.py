"""The expression of an edit: compiled, and evaluated where training stands, without a trace of it.

The random generators are put back afterwards, so that a look ahead does not change what training draws, and no hook of
ours makes a phase of what the expression calls.
"""

from __future__ import annotations

import math
from types import CodeType, FrameType
from typing import Any

import torch

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.randomness import undisturbed_randomness
from stepdbg.tracer.python.console import nothing_stops
from stepdbg.tracer.python.interruptions import Interrupted, Interruptions
from stepdbg.tracer.refused import Refused


def compiled(expression: str) -> CodeType:
    """The code of an expression.

    Raises:
        Refused: it is none.
    """
    try:
        return compile(expression.strip(), "<edit>", "eval", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        why = getattr(error, "msg", error)
        raise Refused(f"not an expression: {why}; write a number, or Python such as old * 0.5") from error


def evaluated(code: CodeType, stack: list[FrameType], own: dict[str, Any], interruptions: Interruptions) -> object:
    """The value of an expression.

    Args:
        code: The expression.
        stack: The frames whose variables it may use, innermost first.
        own: Names that mean something else in it, such as `old`.
        interruptions: Make it possible to interrupt the expression.

    Raises:
        Refused: it raised something, or was interrupted.
    """
    names: dict[str, Any] = {}
    for space in reversed(list(frames.scopes(stack))):
        names |= space
    names |= {"torch": torch, "math": math, **own}
    try:
        with undisturbed_randomness(), nothing_stops(), interruptions.possible():
            return eval(code, names)
    except Interrupted:
        raise Refused("the expression was interrupted; nothing was changed") from None
    except BaseException as error:  # also KeyboardInterrupt, GeneratorExit: they are the expression's, not training's
        raise Refused(f"{type(error).__name__}: {error}") from error
