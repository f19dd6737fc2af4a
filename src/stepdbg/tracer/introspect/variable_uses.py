"""What a piece of code does with one of its variables, and in which lines: writes it in place, calls a method of it,
makes it by something that leaves no graph.

Read from the bytecode, which says what the code may do, not what it has done. Nothing is looked up here.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Callable, Iterator
from types import CodeType
from typing import NamedTuple

_NOWHERE = ("CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "RESUME", "NOT_TAKEN", "NOP")
_LOADS = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF")
_BINDS = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
_ENDS = ("STORE_", "POP_TOP", "RETURN_", "POP_JUMP", "JUMP_", "FOR_ITER")
"""Instructions that end a statement, or a part of one that stands by itself."""
_CUTS = {"detach": "detach()", "detach_": "detach_()", "data": ".data", "item": "item()", "numpy": "numpy()",
         "tolist": "tolist()", "argmax": "argmax()", "argmin": "argmin()"}  # fmt: skip
"""Attributes that lead to what has no graph."""
_ALL_CUTS = {**_CUTS, "long": "long()", "bool": "bool()", "int": "int()"}
_CUTS_ANYWHERE = ("detach", "detach_", "argmax", "argmin")
"""Those of them that are hardly ever for a number to be printed."""
_UNDER = ("no_grad", "inference_mode")
"""Contexts in which nothing is recorded."""
_WITHS = ("BEFORE_WITH", "LOAD_SPECIAL")
_SHORT = 12
"""Instructions that may make a manager."""
_DEEP = 8
"""The most variables behind each other that are asked how they were made."""


class Cut(NamedTuple):
    """Where a graph was cut: the variable that has none from there on, the line, and by what."""

    variable: str
    line: int
    how: str


class CutOff(NamedTuple):
    """A place that cuts a graph."""

    line: int
    how: str
    """`detach()`, `under no_grad()`."""
    names: frozenset[str]
    """What is cut off: variables and attributes that it is made of."""
    lines: frozenset[int]
    """The lines of what is cut off: its own, or those within the `with`."""


def lines_that_write(code: CodeType, name: str) -> tuple[int, ...]:
    """The lines that write a variable's tensor in place: `h.mul_(2)`, `h += 1`, `h[0] = 1`, `h[0].zero_()`."""
    return _lines(one for at, one in enumerate(_instructions(code)) if _writes(one) and _subject(code, at) == name)


def lines_that_call(code: CodeType, name: str, method: str) -> tuple[int, ...]:
    """The lines that call a method of a variable."""
    found = enumerate(_instructions(code))
    return _lines(one for at, one in found if _reads(one) == method and _subject(code, at) == name)


def lines_that_name(code: CodeType, name: str) -> tuple[int, ...]:
    """The lines in which that attribute or variable stands: `x.sqrt()`, `torch.sqrt(x)`, `sqrt(x)`."""
    return _lines(one for one in _instructions(code) if _reads(one) == name or name in _loaded(one))


def lines_that_append(code: CodeType, name: str) -> tuple[int, ...]:
    """The lines that append to a variable, to a part of it or to an attribute of that name."""
    instructions = _instructions(code)
    found = []
    for at, one in enumerate(instructions):
        if _reads(one) in ("append", "extend", "appendleft") and at:
            start = _start(one)
            parts = [each for each in instructions[max(0, at - _SHORT) : at] if _start(each) == start]
            if any(name == _reads(each) or name in _loaded(each) for each in parts):
                found.append(one)
    return _lines(iter(found))


def lines_that_add(code: CodeType, name: str) -> tuple[int, ...]:
    """The lines that assign to a variable or attribute of that name what is made from itself: `total += loss`,
    `h = rnn(x, h)`, `self.h = cell(x, self.h)`.
    """
    return _lines(last for last, parts in _assignments(code, name) if name in parts)


def lines_that_assign(code: CodeType, name: str) -> tuple[int, ...]:
    """The lines that assign to a variable or attribute of that name."""
    return _lines(last for last, _ in _assignments(code, name))


def _assignments(code: CodeType, name: str) -> Iterator[tuple[dis.Instruction, set[str]]]:
    """The instructions that assign to a variable or attribute of that name, each with the names of its statement."""
    parts: set[str] = set()
    for one in _instructions(code):
        if (one.opname in _BINDS or one.opname == "STORE_ATTR") and one.argval == name:
            yield one, parts
        elif one.opname.startswith(_ENDS) and not one.opname.startswith("STORE_"):
            parts = set()
        elif one.opname.startswith("STORE_") and one.opname not in ("STORE_SUBSCR",):
            continue  # one of several names that are bound together: `out, h = rnn(x, h)`
        else:
            parts = {*parts, *_loaded(one), *filter(None, [_reads(one)])}


def writes_in(code: CodeType) -> list[tuple[int, str]]:
    """The lines that write a variable in place, each with the variable."""
    found = enumerate(_instructions(code))
    written = [(one, _subject(code, at)) for at, one in found if _writes(one)]
    return [(line, name) for one, name in written if name and name != "self" for line in _lines(iter((one,)))]


def cuts_in(code: CodeType) -> list[tuple[int, str]]:
    """The lines that make what has no graph, each with how; of a `with` under which nothing is recorded, the first."""
    instructions = _instructions(code)
    found = [(one, _CUTS[read]) for one in instructions if (read := _reads(one)) in _CUTS_ANYWHERE]
    found += [(one, under) for at, one in enumerate(instructions) if (under := _guard(instructions, at))]
    return [(line, how) for one, how in found for line in _lines(iter((one,)))]


def line_that_binds(code: CodeType, place: int, name: str) -> int | None:
    """The line of the expression that a variable was bound to last before an instruction; in a loop, if there is none
    before it, of the last after it.

    Args:
        code: Of the function or module.
        place: The offset of the instruction.
        name: The variable.
    """
    statement = _binding(code, name, place) or _binding(code, name, len(code.co_code))
    lines = [one.positions.lineno for one in statement[:-1] if one.positions is not None and one.positions.lineno]
    return max(lines, key=lines.count) if lines else None


def behind(code: CodeType, place: int, name: str, deep: int = 0) -> tuple[str, ...]:
    """The variables that one is made of and by, in the statement that binds it last before an instruction and in those
    that bind them.

    Args:
        code: Of the function or module.
        place: The offset of the instruction.
        name: The variable.
        deep: How many variables lie before this one.
    """
    statement = _binding(code, name, place)
    if not statement or deep > _DEEP:
        return ()
    parts = dict.fromkeys(other for one in statement[:-1] for other in _loaded(one) if other != name)
    further = [one for part in parts for one in behind(code, statement[0].offset, part, deep + 1)]
    return tuple(dict.fromkeys((*parts, *further)))


def cut_before(
    code: CodeType, place: int, name: str, needs_grad: Callable[[str], bool | None], deep: int = 0
) -> Cut | None:
    """Where the graph was cut that a variable would have: in the statement that binds it last before an instruction, or
    in one that binds what it was made of.

    Args:
        code: Of the function or module.
        place: The offset of the instruction.
        name: The variable.
        needs_grad: Says of a variable whether it holds a tensor that needs a gradient; None where it holds no tensor.
        deep: How many variables lie before this one.
    """
    statement = _binding(code, name, place)
    if not statement or deep > _DEEP:
        return None
    parts = dict.fromkeys(other for one in statement[:-1] for other in _loaded(one) if other != name)
    tensors = {part: needs for part in parts if (needs := needs_grad(part)) is not None}
    if not any(tensors.values()):  # it was cut before, or here
        for part in tensors:
            if (cut := cut_before(code, statement[0].offset, part, needs_grad, deep + 1)) is not None:
                return cut
    how = next((_CUTS[read] for one in statement if (read := _reads(one)) in _CUTS), "")
    how = f"by {how}" if how else _context(code, statement[-1].offset)
    line = statement[-1].positions.lineno if statement[-1].positions is not None else None
    return Cut(name, line, how) if how and line is not None else None


def _lines(instructions: Iterator[dis.Instruction]) -> tuple[int, ...]:
    lines = (one.positions.lineno for one in instructions if one.positions is not None)
    return tuple(dict.fromkeys(line for line in lines if line is not None))


def _reads(one: dis.Instruction) -> str:
    """The attribute that is read there."""
    return str(one.argval) if one.opname in ("LOAD_ATTR", "LOAD_METHOD") else ""


def _loaded(one: dis.Instruction) -> tuple[str, ...]:
    """The variables that are loaded there."""
    if not one.opname.startswith(_LOADS):
        return ()
    return tuple(map(str, one.argval)) if isinstance(one.argval, tuple) else (str(one.argval),)


def _writes(one: dis.Instruction) -> bool:
    """Whether something is written there in place: what stands at its beginning."""
    name = _reads(one)
    if name:
        return name.endswith("_") and not name.endswith("__")
    return one.opname == "STORE_SUBSCR" or (one.opname == "BINARY_OP" and one.argrepr.endswith("="))


def _subject(code: CodeType, at: int) -> str:
    """The variable that the expression begins with which an instruction ends; empty where it is anything but a variable
    or a part of it.
    """
    instructions = _instructions(code)
    start = _start(instructions[at])
    for one in reversed(instructions[:at]):
        if _start(one) != start:
            if one.opname.startswith(_ENDS):
                return ""
            continue
        if loaded := _loaded(one):
            return loaded[-1]
        if one.opname not in ("BINARY_SUBSCR", "COPY", "SWAP", "BINARY_SLICE") and one.argrepr != "[]":
            return ""
    return ""


def _start(one: dis.Instruction) -> tuple[int, int] | None:
    where = one.positions
    if where is None or where.lineno is None or where.col_offset is None:
        return None
    return where.lineno, where.col_offset


def _binding(code: CodeType, variable: str, before: int) -> list[dis.Instruction]:
    """The statement that binds a variable last before an instruction, from its first one on."""
    instructions = _instructions(code)
    bound = [at for at, one in enumerate(instructions)
             if one.offset < before and one.opname in _BINDS and one.argval == variable]  # fmt: skip
    if not bound:
        return []
    first = bound[-1]
    while first and not instructions[first - 1].opname.startswith(_ENDS):
        first -= 1
    return instructions[first : bound[-1] + 1]


def _context(code: CodeType, place: int) -> str:
    """The innermost `with` around an instruction in which nothing is recorded."""
    found = ""
    instructions = _instructions(code)
    for at, one in enumerate(instructions):
        if one.opname in _WITHS and at and one.offset < place < _end_of_with(instructions, at):
            found = _guard(instructions, at) or found
    return found


def _guard(instructions: list[dis.Instruction], at: int) -> str:
    """How nothing is recorded in the `with` that begins there: `under no_grad()`; empty where no such one does."""
    if not at or instructions[at].opname not in _WITHS:
        return ""
    start = _start(instructions[at - 1])  # the call that has made the manager
    parts = [each for each in instructions[max(0, at - _SHORT) : at] if start and _start(each) == start]
    names = [_reads(each) or "".join(_loaded(each)) for each in parts]
    return next((f"under {name}()" for name in names if name in _UNDER), "")


def _end_of_with(instructions: list[dis.Instruction], at: int) -> int:
    """The offset at which the body of a `with` ends: its exit is called with the position of its expression."""
    start = _start(instructions[at])
    calls = [one.offset for one in instructions[at + 2 :] if one.opname == "LOAD_CONST" and _start(one) == start]
    return calls[0] if calls else 0


@functools.lru_cache(maxsize=64)
def _instructions(code: CodeType) -> list[dis.Instruction]:
    return [one for one in dis.get_instructions(code) if one.opname not in _NOWHERE]


@functools.lru_cache(maxsize=256)
def cuts_off(code: CodeType) -> tuple[CutOff, ...]:
    """All places in a function that cut a graph."""
    return tuple(_cuts_off(code))


def _cuts_off(code: CodeType) -> Iterator[CutOff]:
    instructions = _instructions(code)
    for at, one in enumerate(instructions):
        if under := _guard(instructions, at):
            end = _end_of_with(instructions, at)
            inside = [each for each in instructions[at + 1 :] if each.offset < end]
            yield from _told(one, under, _names(code, inside), inside)
        elif how := _cut_by(instructions, at):
            span = [each for each in instructions[:at] if _is_within(each, one)]
            yield from _told(one, how, _names(code, span), [one])
    for part in code.co_consts:
        if isinstance(part, CodeType) and part.co_name in ("<listcomp>", "<genexpr>", "<dictcomp>", "<setcomp>"):
            yield from cuts_off(part)


def _cut_by(instructions: list[dis.Instruction], at: int) -> str:
    one = instructions[at]
    if name := _ALL_CUTS.get(_reads(one), ""):
        return name
    if _reads(one) in ("float", "to", "type", "mean", "sum"):
        compared = any(each.opname == "COMPARE_OP" and _is_within(each, one) for each in instructions[:at])
        return "a comparison" if compared else ""
    return ""


def _told(one: dis.Instruction, how: str, names: frozenset[str], inside: list[dis.Instruction]) -> Iterator[CutOff]:
    line = one.positions.lineno if one.positions is not None else None
    if line is not None and names:
        yield CutOff(line, how, names, frozenset(_lines(iter(inside))))


def _names(code: CodeType, instructions: list[dis.Instruction]) -> frozenset[str]:
    """The variables and attributes of these instructions, and of the statements that bind the variables before."""
    found: set[str] = set()
    ahead = [(each, 0) for each in instructions]
    while ahead:
        one, deep = ahead.pop()
        if name := _reads(one):
            found.add(name)
        for variable in _loaded(one):
            if variable not in found:
                found.add(variable)
                if deep < _DEEP and variable != "self":
                    ahead += [(each, deep + 1) for each in _binding(code, variable, one.offset)[:-1]]
    return frozenset(found)


def _is_within(inner: dis.Instruction, outer: dis.Instruction) -> bool:
    """Whether an instruction's expression lies within another's, by their places in the source."""
    one, other = inner.positions, outer.positions
    if one is None or other is None or None in (*one, *other):
        return False
    begins = (other.lineno, other.col_offset) <= (one.lineno, one.col_offset)
    return begins and (one.end_lineno, one.end_col_offset) <= (other.end_lineno, other.end_col_offset)


def lines_behind(code: CodeType, place: int, name: str) -> set[int]:
    """The lines of the statement that binds a variable last before an instruction, and of those that bind what it is
    made of.
    """
    found: set[int] = set()
    for variable in (name, *behind(code, place, name)):
        found |= set(_lines(iter(_binding(code, variable, place))))
    return found


@functools.lru_cache(maxsize=256)
def lines_behind_results(code: CodeType) -> frozenset[int]:
    """The lines of the statements that return something, and of those that bind what it is made of."""
    instructions = _instructions(code)
    found: set[int] = set()
    for at, one in enumerate(instructions):
        if one.opname != "RETURN_VALUE":
            continue
        first = at
        while first and not instructions[first - 1].opname.startswith(_ENDS):
            first -= 1
        found |= set(_lines(iter(instructions[first:at])))
        for each in instructions[first:at]:
            for variable in _loaded(each):
                if variable != "self":
                    found |= lines_behind(code, one.offset, variable)
    return frozenset(found)
