"""What the exception handlers of a piece of code do with an exception: let it pass, raise another, or end it.

Read from the exception table and the bytecode (CPython 3.11 and later): `except` clauses, `finally`, `with`, however
nested. A handler is followed along all of its ways; what the code inside it may raise by mistake is not asked.
Nothing is looked up here, and nothing run: `Questions` are put to who knows the frame.
"""

from __future__ import annotations

import dis
import functools
from collections.abc import Iterator, Sequence
from types import CodeType
from typing import NamedTuple, Protocol

_EXIT_NAMES = ("exit", "quit")
_MODULE_EXITS = (("sys", "exit"), ("os", "_exit"))
_LOADS = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_CLASSDEREF")
_NOWHERE = ("CACHE", "PUSH_NULL", "PRECALL", "EXTENDED_ARG", "NOT_TAKEN", "NOP")
"""Instructions that do nothing to what is asked here."""
_ALWAYS_JUMP = ("JUMP", "JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT", "JUMP_NO_INTERRUPT")
_PASSES_ON = ("RERAISE", "CLEANUP_THROW", "END_ASYNC_FOR")
"""Instructions that raise the exception anew; the last two end a StopIteration or StopAsyncIteration alone."""
_MOST_STEPS = 20_000
"""Instructions that are followed at most; beyond them nothing is certain."""


class Another:
    """Stands for an exception of a class that is not known, raised in the place of the one that came."""


class Caught:
    """Stands for what may end there."""


Kind = type
"""The class of an exception; `Another` where it is not known."""


class TypeName(NamedTuple):
    """`torch.cuda.OutOfMemoryError`, as an `except` clause names it: a variable, and attributes from there on."""

    variable: str
    attributes: tuple[str, ...] = ()


class Questions(Protocol):
    """What only the frame knows."""

    def matches(self, kind: Kind, names: Sequence[TypeName]) -> bool | None:
        """Whether an exception of that class is one of those that a clause names; None where that is not known."""

    def exits(self, kind: Kind, depth: int) -> frozenset[Kind]:
        """What comes out of the context manager whose `__exit__` lies under so many entries of the frame's stack."""


class _Entry(NamedTuple):
    """A row of an exception table, in bytes of the code."""

    start: int
    end: int
    target: int
    depth: int


def outcomes(code: CodeType, place: int, kind: Kind, asked: Questions) -> frozenset[Kind]:
    """What may come out of a frame in which an exception of that class is raised, by their classes; `Caught` among them
    where it may end there.

    Args:
        code: Of the frame.
        place: The offset of the instruction that it stands at, as `f_lasti`.
        kind: The class of the exception.
        asked: Knows the frame.
    """
    entry = _covering(code, place)
    return (
        frozenset((kind,)) if entry is None else frozenset(_Followed(code, entry.depth, asked).from_place(place, kind))
    )


def has_run(code: CodeType, place: int, kind: Kind, asked: Questions) -> bool:
    """Whether an exception of that class which has left a frame has run anything there: a `finally`, the exit of a
    `with`, or a clause that may name its class.

    Args:
        code: Of the frame.
        place: The offset of the instruction at which it has left the frame.
        kind: The class of the exception.
        asked: Knows the frame.
    """
    entry = _covering(code, place)
    return entry is not None and _Followed(code, entry.depth, asked).runs(entry, kind)


class _Followed:
    """The handlers of one frame while they are followed."""

    def __init__(self, code: CodeType, depth: int, asked: Questions) -> None:
        self._code, self._depth, self._asked = code, depth, asked
        self._instructions, self._places = instructions_of(code)
        self._seen: set[tuple[int, Kind]] = set()
        self._steps = 0

    def from_place(self, place: int, kind: Kind) -> set[Kind]:
        """What comes out of the frame where an exception of that class is raised there."""
        entry = _covering(self._code, place)
        if entry is None:
            return {kind}
        if (entry.target, kind) in self._seen:
            return set()
        self._seen.add((entry.target, kind))
        return self._through(entry, kind)

    def _through(self, entry: _Entry, kind: Kind) -> set[Kind]:
        """What comes out of a handler: of all ways through it, those on which it has been left (`over`) among them."""
        found: set[Kind] = set()
        ways = [(self._at(entry.target), False)]
        walked: set[tuple[int, bool]] = set()
        caught_as = ""
        while ways:
            at, over = ways.pop()
            if (at, over) in walked:
                continue
            walked.add((at, over))
            self._steps += 1
            if at >= len(self._instructions) or self._steps > _MOST_STEPS:
                return {*found, Caught}
            one = self._instructions[at]
            name = one.opname
            if name in _PASSES_ON:
                found |= self.from_place(one.offset, kind)
            elif name == "RAISE_VARARGS":
                same = one.arg == 0 or (one.arg == 1 and caught_as and self._loads(at - 1, caught_as))
                found |= self.from_place(one.offset, kind if same and not over else Another)
            elif name.startswith("RETURN_") and name != "RETURN_GENERATOR":
                found.add(Caught)
            elif self._ends_the_process(at):
                found |= self.from_place(one.offset, SystemExit)
            elif name == "POP_EXCEPT":
                ways.append((at + 1, True))
            elif name == "CHECK_EG_MATCH":
                found.add(Caught)
            elif name == "CHECK_EXC_MATCH":
                names = self._types_before(at)
                matches = self._asked.matches(kind, names) if names is not None and kind is not Another else None
                if matches is not False:
                    caught_as = self._stored_at(at + 2)
                    ways.append((at + 2, over))
                if matches is not True:
                    ways.append((self._target(at + 1), over))
            elif name == "WITH_EXCEPT_START" and (jump := self._condition_after(at)) is not None:
                here = self._asked.exits(kind, entry.depth) if entry.depth <= self._depth else frozenset((kind, Caught))
                if Caught in here:
                    ways.append((self._target(jump), over))
                for other in here - {Caught, kind}:  # raised by __exit__ itself
                    found |= self.from_place(one.offset, other)
                if kind in here:
                    ways.append((jump + 1, over))
            elif _jumps(one):
                if over and self._target(at) < at:  # back into what the code does without the exception
                    found.add(Caught)
                else:
                    ways.append((self._target(at), over))
                if name not in _ALWAYS_JUMP:
                    ways.append((at + 1, over))
            else:
                ways.append((at + 1, over))
        return found

    def runs(self, entry: _Entry | None, kind: Kind) -> bool:
        """Whether a handler, or one that it passes the exception on to, does more than to ask for the class of it."""
        while entry is not None and (entry.target, kind) not in self._seen:
            self._seen.add((entry.target, kind))
            at, within = self._at(entry.target), False
            while at < len(self._instructions) and (one := self._instructions[at]).opname not in _PASSES_ON:
                if one.opname == "CHECK_EXC_MATCH":
                    names = self._types_before(at)
                    if names is None or self._asked.matches(kind, names) is not False:
                        return True
                    at = self._target(at + 1)
                    continue
                if within and not (one.opname.startswith((*_LOADS, "LOAD_ATTR", "BUILD_TUPLE")) and self._is_test(at)):
                    return True
                within = within or one.opname == "PUSH_EXC_INFO"  # what has none puts variables back
                at += 1
            entry = _covering(self._code, self._instructions[at].offset) if at < len(self._instructions) else None
        return False

    def _is_test(self, at: int) -> bool:
        """Whether what is loaded there is the class that a clause names."""
        while self._instructions[at].opname.startswith((*_LOADS, "LOAD_ATTR", "BUILD_TUPLE")):
            at += 1
        return self._instructions[at].opname == "CHECK_EXC_MATCH"

    def _at(self, offset: int) -> int:
        """The number of the instruction at an offset, or of the first one after it."""
        return next((self._places[place] for place in range(offset, offset + 64) if place in self._places), 1 << 30)

    def _target(self, at: int) -> int:
        """The number of the instruction that this one jumps to."""
        if at >= len(self._instructions) or not _jumps(self._instructions[at]):
            return 1 << 30
        return self._at(int(self._instructions[at].argval))

    def _condition_after(self, at: int) -> int | None:
        """The number of the jump that asks what `__exit__` has returned; None where it is awaited first."""
        for number in (at + 1, at + 2):
            if number < len(self._instructions):
                name = self._instructions[number].opname
                if name.startswith("POP_JUMP") and name.endswith("IF_TRUE"):
                    return number
                if name != "TO_BOOL":
                    return None
        return None

    def _types_before(self, at: int) -> tuple[TypeName, ...] | None:
        """What the clause names whose test is this instruction; None where it computes that."""
        first = at
        while first and self._instructions[first - 1].opname.startswith((*_LOADS, "LOAD_ATTR", "BUILD_TUPLE")):
            first -= 1
        stack: list[TypeName | tuple[TypeName, ...]] = []
        for one in self._instructions[first:at]:
            if one.opname.startswith(_LOADS):
                loaded = one.argval if isinstance(one.argval, tuple) else (one.argval,)
                stack += [TypeName(str(name)) for name in loaded]
            elif one.opname == "LOAD_ATTR" and stack and isinstance(top := stack[-1], TypeName):
                stack[-1] = TypeName(top.variable, (*top.attributes, str(one.argval)))
            elif one.opname == "BUILD_TUPLE" and 0 < (one.arg or 0) <= len(stack):
                parts = stack[-(one.arg or 0) :]
                del stack[-(one.arg or 0) :]
                stack.append(tuple(part for part in parts if isinstance(part, TypeName)))
            else:
                return None
        if not stack:
            return None
        return (stack[-1],) if isinstance(stack[-1], TypeName) else stack[-1]

    def _stored_at(self, at: int) -> str:
        """The name that the exception gets there: `except … as name`."""
        one = self._instructions[at] if at < len(self._instructions) else None
        return str(one.argval) if one is not None and one.opname.startswith("STORE_") else ""

    def _loads(self, at: int, name: str) -> bool:
        one = self._instructions[at]
        return one.opname.startswith(_LOADS) and one.argval == name

    def _ends_the_process(self, at: int) -> bool:
        """Whether the script is ended here by `sys.exit` and the like, which is about to be called."""
        one = self._instructions[at]
        if one.opname in ("LOAD_ATTR", "LOAD_METHOD") and at:
            before = self._instructions[at - 1]
            return before.opname.startswith(_LOADS) and (before.argval, one.argval) in _MODULE_EXITS
        return one.opname in ("LOAD_GLOBAL", "LOAD_NAME") and one.argval in _EXIT_NAMES


def _jumps(one: dis.Instruction) -> bool:
    return one.opcode in dis.hasjrel or one.opcode in dis.hasjabs


def _covering(code: CodeType, place: int) -> _Entry | None:
    """The row of the exception table that an instruction lies in."""
    return next((entry for entry in _table(code) if entry.start <= place < entry.end), None)


@functools.lru_cache(maxsize=512)
def _table(code: CodeType) -> tuple[_Entry, ...]:
    return tuple(_parsed(code.co_exceptiontable))


def _parsed(table: bytes) -> Iterator[_Entry]:
    """The rows of an exception table: four numbers each (start, length, target, depth and a flag), in digits of six
    bits, the most significant ones first.
    """
    numbers: list[int] = []
    number = 0
    for byte in table:
        number = number << 6 | byte & 63
        if not byte & 64:
            numbers.append(number)
            number = 0
    for row in range(0, len(numbers) - 3, 4):
        start, length, target, depth = numbers[row : row + 4]
        yield _Entry(start * 2, (start + length) * 2, target * 2, depth >> 1)


@functools.lru_cache(maxsize=256)
def instructions_of(code: CodeType) -> tuple[list[dis.Instruction], dict[int, int]]:
    """The instructions that do something, and their numbers by offset."""
    found = [one for one in dis.get_instructions(code) if one.opname not in _NOWHERE]
    return found, {one.offset: number for number, one in enumerate(found)}
