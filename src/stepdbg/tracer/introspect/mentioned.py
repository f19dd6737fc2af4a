"""What a piece of code names where it failed: the variables, and what it led to from them by attributes and indices.

Read from the bytecode, since the file may have been changed since it was imported. Nothing is looked up here.
"""

from __future__ import annotations

import dis
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import NamedTuple

_VARIABLES = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_")
_CONSTANTS = ("LOAD_CONST", "LOAD_SMALL_INT")
_ATTRIBUTES = ("LOAD_ATTR", "LOAD_METHOD")
_SUBSCRIPT = "BINARY_SUBSCR"
"""Up to Python 3.13; then it is an operator among others, written `[]`."""
_RAISES = "RAISE_VARARGS"
_STATEMENTS = ("FOR_ITER", "GET_ANEXT", "END_ASYNC_FOR", "BEFORE_WITH", "BEFORE_ASYNC_WITH", "WITH_EXCEPT_START")
"""Nodes that stand for a statement as a whole, with its body."""
_ENDS = ("STORE_", "POP_TOP", "RETURN_")
"""Instructions that end a statement: what holds them over several lines is no expression."""
_BRANCH = {"JUMP", "IF"}
"""Words in the name of an instruction that ends a condition."""
_NOWHERE = ("CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "RESUME", "NOT_TAKEN")
"""Instructions that do nothing to what was named before them."""


class Index(NamedTuple):
    """What stands in brackets: a constant, or a variable."""

    constant: object = None
    variable: str = ""


Step = str | Index
"""An attribute's name, or an index."""


class Mention(NamedTuple):
    """`self.layers[0].weight`: a variable, and what leads on from it."""

    variable: str
    steps: tuple[Step, ...] = ()


def mentioned(code: CodeType, place: int) -> tuple[Mention, ...]:
    """What the expression names that was evaluated at a place, in the order in which it is read, each once.

    Where that is a `raise` which names nothing but the exception, also what was asked before it: `if` what, or the
    `assert` what.

    Args:
        code: Of the function or module.
        place: The offset of the instruction, as a traceback's `tb_lasti`.
    """
    instructions = [one for one in dis.get_instructions(code) if one.opname not in _NOWHERE]
    at = max((number for number, one in enumerate(instructions) if one.offset <= place), default=None)
    if at is None or instructions[at].opname in _STATEMENTS or (span := _span(instructions[at])) is None:
        return ()
    within = [one for one in instructions if _lies_in(one, span)]
    if span[0][0] != span[1][0] and any(one.opname.startswith(_ENDS) for one in within):
        return ()
    found = [*_chains(within)]
    if instructions[at].opname == _RAISES and (condition := _condition(instructions, within)) is not None:
        found += _chains([one for one in instructions if _lies_in(one, condition)])
    return tuple(dict.fromkeys(found))


Span = tuple[tuple[int, int], tuple[int, int]]
"""Line and column of the beginning, and of the end."""


def _span(instruction: dis.Instruction) -> Span | None:
    where = instruction.positions
    if where is None or where.lineno is None or where.end_lineno is None:
        return None
    if where.col_offset is None or where.end_col_offset is None:  # compiled without columns
        return (where.lineno, 0), (where.end_lineno, 1 << 30)
    return (where.lineno, where.col_offset), (where.end_lineno, where.end_col_offset)


def _lies_in(instruction: dis.Instruction, span: Span) -> bool:
    own = _span(instruction)
    return own is not None and span[0] <= own[0] and own[1] <= span[1]


def _condition(instructions: Sequence[dis.Instruction], statement: Sequence[dis.Instruction]) -> Span | None:
    """The place of the condition that has led to a statement, if one has directly."""
    first = min(one.offset for one in statement)
    before = [one for one in instructions if one.offset < first]
    return _span(before[-1]) if before and {*before[-1].opname.split("_")} >= _BRANCH else None


class _Chain:
    """A mention while it is being read."""

    def __init__(self, variable: str) -> None:
        self.variable = variable
        self.steps: list[Step] = []

    def done(self) -> Mention:
        return Mention(self.variable, tuple(self.steps))


def _chains(instructions: Sequence[dis.Instruction]) -> Iterator[Mention]:
    """The mentions among these instructions. One that is an index in another is a mention of its own as well."""
    found: list[_Chain] = []
    fresh: list[_Chain | Index] = []
    """What has been loaded just now, and may be gone on from."""
    for one in instructions:
        name = one.opname
        if name.startswith(_VARIABLES):
            names = one.argval if isinstance(one.argval, tuple) else (one.argval,)
            chains = [_Chain(str(each)) for each in names]
            found += chains
            fresh += chains
        elif name.startswith(_CONSTANTS):
            fresh.append(Index(constant=one.argval))
        elif name in _ATTRIBUTES and fresh and isinstance(chain := fresh[-1], _Chain):
            chain.steps.append(str(one.argval))
        elif (name == _SUBSCRIPT or one.argrepr == "[]") and len(fresh) > 1 and isinstance(chain := fresh[-2], _Chain):
            index = fresh.pop()
            if isinstance(index, Index):
                chain.steps.append(index)
            elif not index.steps:
                chain.steps.append(Index(variable=index.variable))
            else:
                fresh = []
        else:
            fresh = []
    return (chain.done() for chain in found)
