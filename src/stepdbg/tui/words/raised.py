"""An exception in words: where it was raised, what it says, and on what."""

from __future__ import annotations

import math
import re

from stepdbg.protocol.messages import Failure, Operand, Stop
from stepdbg.tui.drawing.lines import Glyphs, shortened
from stepdbg.tui.drawing.numbers import figure, shape

_SENT = re.compile(r"Caught (\w+) in ([^\n]+)\.\nOriginal Traceback")
"""How torch begins the message of an exception from a loader's worker."""
_OF_A_NUMBER = re.compile(r"'(float|int)' object has no attribute 'backward'")
"""The message where `backward` is called on what `.item()` has given."""
_CALLS = ("forward", "eval")
"""Phases that are a call of a module."""
_BRIEF = 64
"""Cells of the exception's own words where there is no room for all of them."""
_FEW = 3
"""The most objects that are told of those that the exception was raised on."""


def sentence(stop: Stop, failure: Failure, glyphs: Glyphs, *, brief: bool) -> str:
    """`RuntimeError in forward of model.fc (Linear 4→3): …; with x 8×7 and model.fc.weight 3×4, float32`.

    Args:
        stop: Where training waits.
        failure: The exception.
        glyphs: The characters to write with.
        brief: Only as much as two short lines hold.
    """
    words = _words(failure).removesuffix(".")
    operands = _telling(stop, failure.operands)
    if brief:
        words, operands = shortened(words, _BRIEF, glyphs.ellipsis), operands[:_FEW]
    where = _where(stop, failure, glyphs)
    said = failure.why or words
    clauses = [f"{failure.type}{where}{': ' if said else ''}{said}"]
    if failure.why:
        clauses.append(words)
    if _OF_A_NUMBER.match(failure.message):
        clauses.append("a number has no graph: call it on the tensor, before .item() or float() makes a number of that")
    if operands:
        clauses.append(f"with {_with(operands, glyphs)}")
    if failure.torn_down:
        more = f" and {len(failure.torn_down) - 1} more" if len(failure.torn_down) > 1 else ""
        clauses.append(f"the finally, with or except around {failure.torn_down[0]}{more} has run already")
    return "; ".join(clauses)


def _words(failure: Failure) -> str:
    """The exception's message; of one that a worker has sent, its own words, which stand below a whole traceback."""
    if (sent := _SENT.match(failure.message)) is not None:
        kind, _, words = failure.message.strip().splitlines()[-1].partition(": ")
        if words and kind.rpartition(".")[2] == sent[1]:
            return f"{words} (in {sent[2]})"
    return " ".join(failure.message.split())


def _telling(stop: Stop, operands: tuple[Operand, ...]) -> tuple[Operand, ...]:
    """Without the loss that a backward was called on, be it what it may: it is what any backward is called on."""
    inside = stop.boundary.inside
    if inside and inside[-1] == "backward" and all(one.number is not None and one.dtype for one in operands):
        return tuple(one for one in operands if one.number is not None and not math.isfinite(one.number))
    return operands


def _where(stop: Stop, failure: Failure, glyphs: Glyphs) -> str:
    boundary = stop.boundary
    kind = f" ({failure.kind})".replace("→", glyphs.becomes) if failure.kind else ""
    module = f"{failure.module}{kind}"
    if boundary.inside:
        phase = boundary.inside[-1]
        of = " of " if phase in _CALLS else ", in "
        return f" in {phase}{of}{module}" if failure.module else f" in {phase}"
    after = f" after {boundary.done}" if boundary.done else ""
    return f"{after}, in {module}" if failure.module else after


def _with(operands: tuple[Operand, ...], glyphs: Glyphs) -> str:
    """What they are, with type and device as far as these tell them apart."""
    tensors = [one for one in operands if one.dtype]
    types, devices = ({getattr(one, name) for one in tensors} for name in ("dtype", "device"))
    words = []
    for one in operands:
        parts = [one.name]
        if not one.dtype:
            parts.append(f"= {one.number}")
        elif one.number is not None and not one.shape:
            parts.append(f"= {figure(one.number)}")
        else:
            parts.append(shape(one.shape, glyphs.times))
        if one.dtype and len(types) > 1:
            parts.append(one.dtype)
        if one.dtype and len(devices) > 1:
            parts.append(f"on {one.device}")
        words.append(" ".join(parts))
    together = ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]
    alike = len(types) == 1 and len(tensors) == len(operands) and any(one.shape for one in tensors)
    return f"{together}, {tensors[0].dtype}" if alike else together
