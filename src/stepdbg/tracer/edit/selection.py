"""A slice in Python's own syntax (`[0, :8, ::2]`), read without running anything."""

from __future__ import annotations

import ast
import math
from types import EllipsisType

from stepdbg.tracer.refused import Refused

Selector = tuple[int | slice | EllipsisType, ...]
"""What a tensor is indexed with; it always gives a view."""


def selector(text: str) -> Selector:
    """The slice that the text writes, with or without its brackets.

    Raises:
        Refused: it writes none.
    """
    words = text.strip()
    if words.startswith("[") and words.endswith("]"):
        words = words[1:-1].strip()
    if not words:
        return ()
    try:
        tree = ast.parse(f"_[{words}]", mode="eval").body
    except SyntaxError:
        tree = None
    if not isinstance(tree, ast.Subscript):
        raise Refused(f"{text.strip()} is no slice; write one as in Python: [0, :8, ::2]")
    entries = tree.slice.elts if isinstance(tree.slice, ast.Tuple) else [tree.slice]
    return tuple(_entry(entry, text) for entry in entries)


def checked(chosen: Selector, shape: tuple[int, ...]) -> Selector:
    """The slice, if a tensor of that shape has it.

    Raises:
        Refused: it lies outside, has too many entries, or selects nothing.
    """
    places = [entry for entry in chosen if not isinstance(entry, EllipsisType)]
    words = in_words(chosen)
    if len(places) > len(shape):
        raise Refused(f"{words} has {len(places)} entries, the tensor has {len(shape)} dimensions")
    if len(chosen) - len(places) > 1:
        raise Refused(f"{words} has more than one ...")
    before = next((n for n, entry in enumerate(chosen) if isinstance(entry, EllipsisType)), len(chosen))
    sizes = [*shape[:before], *shape[len(shape) - (len(places) - before) :]] if before < len(places) else shape[:before]
    lengths = []
    for entry, size in zip(places, sizes, strict=True):
        if isinstance(entry, slice):
            if entry.step is not None and entry.step <= 0:
                raise Refused(f"{words}: the step of a slice of a tensor must be above 0")
            lengths.append(len(range(*entry.indices(size))))
        elif isinstance(entry, int) and not -size <= entry < size:
            raise Refused(f"the index {words} lies outside of the shape {shape}")
    if math.prod(shape) and not math.prod(lengths):
        raise Refused(f"{words} selects nothing of the shape {shape}")
    return chosen


def in_words(chosen: Selector) -> str:
    """As Python writes it: `[0, :8, ::2]`."""
    return f"[{', '.join(_words(entry) for entry in chosen)}]"


def _words(entry: int | slice | EllipsisType) -> str:
    if isinstance(entry, slice):
        start, stop, step = ("" if one is None else str(one) for one in (entry.start, entry.stop, entry.step))
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return "..." if isinstance(entry, EllipsisType) else str(entry)


def _entry(entry: ast.expr, text: str) -> int | slice | EllipsisType:
    if isinstance(entry, ast.Slice):
        ends = (entry.lower, entry.upper, entry.step)
        return slice(*(None if one is None else _whole(one, text) for one in ends))
    if isinstance(entry, ast.Constant) and entry.value is Ellipsis:
        return Ellipsis
    return _whole(entry, text)


def _whole(entry: ast.expr, text: str) -> int:
    try:
        value = ast.literal_eval(entry)
    except ValueError:
        value = None
    if isinstance(value, bool) or not isinstance(value, int):
        raise Refused(f"{text.strip()}: only whole numbers, slices and ... stand in a slice here")
    return value
