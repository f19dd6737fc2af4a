"""The lines of Python code that training can be stopped at: those at which some of it begins to run.

Standard library only, and whatever Python is the user's: 3.11 and later.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator
from inspect import CO_OPTIMIZED
from types import CodeType
from typing import NamedTuple

from stepdbg.protocol.expressions import unwarned

_COMPREHENSIONS = frozenset(("<listcomp>", "<setcomp>", "<dictcomp>", "<genexpr>"))


class CodeLines(NamedTuple):
    """Where one code object can be stopped at, without the functions and classes that lie within it."""

    lines: frozenset[int]
    """The lines of which it has code of its own."""
    repeats: frozenset[int]
    """The offsets of instructions, in bytes, at which Python comes back to a line in the midst of a statement: to the
    call whose arguments stand on further lines, to the next round of a comprehension that stands on one line."""


def lines_of(code: CodeType) -> CodeLines:
    """The lines of a code object."""
    lines, first, repeats, before = set[int](), set[int](), set[int](), 0
    jumps: list[tuple[int, int]] = []
    begun = False
    lines_at: dict[int, int] = {}
    for one in dis.get_instructions(code):
        position = one.positions
        line = position.lineno if position is not None else None
        if not begun or line is None:  # what makes a generator, or takes cells over, is no line of the user's
            begun = begun or one.opname == "RESUME"
            continue
        lines_at[one.offset] = line
        if line != before:
            if line not in lines:
                first.add(one.offset)
            elif position is not None and (position.end_lineno or line) > line:
                repeats.add(one.offset)
            lines.add(line)
        before = line
        if "JUMP_BACKWARD" in one.opname:
            jumps.append((one.argval, one.offset))
    for target, origin in jumps:
        on_one_line = len({line for offset, line in lines_at.items() if target <= offset <= origin}) == 1
        if on_one_line and target not in first:
            repeats.add(target)
    if code.co_name in _COMPREHENSIONS or not (code.co_flags & CO_OPTIMIZED or code.co_name == "<module>"):
        lines.discard(code.co_firstlineno)  # the statement around it begins there
    return CodeLines(frozenset(lines), frozenset(repeats))


def codes_in(code: CodeType) -> Iterator[CodeType]:
    """A code object, and all that lie within it."""
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from codes_in(constant)


def lines_with_code(source: bytes | str, file: str = "<source>") -> dict[int, str]:
    """The lines of a source file that have code, each with the innermost function that it is part of (`Net.forward`).

    Raises:
        SyntaxError, ValueError, RecursionError: this Python cannot compile the source.
    """
    found: dict[int, str] = {}
    with unwarned():  # Python has warned of the file when it was loaded
        whole = compile(source, file, "exec", dont_inherit=True)
    for code in codes_in(whole):
        found |= dict.fromkeys(lines_of(code).lines, "" if code.co_name == "<module>" else code.co_qualname)
    return found


def nearest_line(line: int, lines: dict[int, str]) -> int | None:
    """The line nearest to that one that has code, of two the later one; None where none has."""
    return min(lines, key=lambda one: (abs(one - line), one < line), default=None)


def no_code(line: int, lines: dict[int, str], file: str = "") -> str:
    """Why training cannot be stopped at a line, and where it can; empty where it can."""
    if line in lines:
        return ""
    near = nearest_line(line, lines)
    which = f"line {line} of {file}" if file else f"line {line}"
    return f"{which} has no code" + (f"; the nearest that has is {near}" if near is not None else "")
