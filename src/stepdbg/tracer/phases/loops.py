"""The loops of a function, as its bytecode has them: which one has gone round between two places, and what lies ahead.

A place is what a frame's `f_lasti` gives: the offset of an instruction, or of one of the cache entries behind it.
Places are compared by line and column, since the compiler puts the condition of a `while` at the end of its body
(CPython 3.11 to 3.14).
"""

from __future__ import annotations

import dis
from bisect import bisect_right
from functools import lru_cache
from types import CodeType
from typing import NamedTuple

_CALLED = ("LOAD_METHOD", "LOAD_ATTR")
_NO_WAY_ON = ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE", "JUMP_FORWARD")
_BINDS = ("STORE_FAST", "STORE_NAME", "STORE_GLOBAL", "STORE_DEREF")
_READS = ("LOAD_FAST", "LOAD_NAME", "LOAD_GLOBAL", "LOAD_DEREF", "LOAD_FAST_CHECK", "LOAD_FAST_BORROW")
_JUMPS = frozenset(dis.hasjrel) | frozenset(dis.hasjabs)

Position = tuple[int, int]
"""Line and column."""


class Loop(NamedTuple):
    """A loop of a function, by its places in the code."""

    begins: Position
    ends: Position
    first: int
    """The place at which the loop is entered again at the end of each round."""
    last: int

    def holds(self, position: Position) -> bool:
        """Whether that position lies in it."""
        return self.begins <= position <= self.ends


class Loops:
    """The loops of one function."""

    def __init__(self, code: CodeType) -> None:
        every = [instruction for instruction in dis.get_instructions(code) if instruction.opname != "CACHE"]
        self.instructions = [instruction for instruction in every if instruction.opname != "EXTENDED_ARG"]
        self._offsets = [instruction.offset for instruction in self.instructions]
        self._positions: dict[int, Position] = {}
        latest = (code.co_firstlineno, 0)
        for instruction in self.instructions:
            where = instruction.positions
            if where is not None and where.lineno is not None:
                latest = (where.lineno, where.col_offset or 0)
            self._positions[instruction.offset] = latest
        self._index: dict[int, int] = {}
        place = 0
        for instruction in every:  # a jump to a far one leads to what its argument begins with
            self._index[instruction.offset] = place
            place += instruction.opname != "EXTENDED_ARG"
        self._known_ahead: dict[int, frozenset[int]] = {}
        self.loops = self._find()

    def position(self, place: int) -> Position:
        """The line and column of that place."""
        return self._positions[self._at(place)]

    def starts(self, loop: Loop, place: int) -> bool:
        """Whether that place is where a loop gets what its next round is about: `for … in` itself."""
        return self._at(place) == loop.first

    def around(self, *places: int) -> list[Loop]:
        """The loops that hold all of these places, the innermost first."""
        positions = [self.position(place) for place in places]
        return [loop for loop in self.loops if all(map(loop.holds, positions))]

    def leads(self, here: int, there: int) -> bool:
        """Whether the code gets from one place to another that is written below it, within one round."""
        return self.position(there) > self.position(here) and self._at(there) in self._ahead(self._at(here))

    def calls(self, attribute: str) -> list[int]:
        """The places at which something's method of that name is looked up."""
        return [
            instruction.offset
            for instruction in self.instructions
            if instruction.opname in _CALLED and instruction.argval == attribute
        ]

    def steps(self) -> list[int]:
        """The places at which the `step` of something is looked up that is not called a scheduler."""
        found = []
        for place in self.calls("step"):
            if "sched" not in (self._receiver(place) or "").lower():
                found.append(place)
        return found

    def steps_ahead(self, here: int, within: Loop | None, beyond: Loop | None = None) -> set[str | None]:
        """What is called `step` on after that place, in the same round of `within`, and not in `beyond`.

        Each by the last name of what it is called on, None for what has none. Schedulers are left out.
        """
        return {self._receiver(place) for place in self._to_come(self.steps(), here, within, beyond)}

    def called_on(self, place: int, attribute: str) -> str | None:
        """The expression whose method of that name is called at that place, where it is made of names and constants."""
        position = self.position(place)
        index = next((self._index[one] for one in self.calls(attribute) if self.position(one) == position), 0)
        path = ""
        while index > 0:
            index -= 1
            instruction = self.instructions[index]
            if instruction.opname in _READS:
                return f"{instruction.argval}{path}"
            if instruction.opname in _CALLED:
                path = f".{instruction.argval}{path}"
            elif instruction.opname == "BINARY_SUBSCR" or instruction.argrepr == "[]":  # from Python 3.14 on
                index -= 1
                key = self.instructions[index]
                if key.opname not in ("LOAD_CONST", "LOAD_SMALL_INT"):
                    return None
                path = f"[{key.argval!r}]{path}"
            else:
                return None
        return None

    def stepped_at(self, place: int) -> str | None:
        """The last name of that whose `step` is called at that place; None where it has none, or none is called."""
        position = self.position(place)
        return next((self._receiver(one) for one in self.calls("step") if self.position(one) == position), None)

    def _receiver(self, place: int) -> str | None:
        """The last name of what an attribute is looked up on."""
        before = self.instructions[self._index[place] - 1]
        return before.argval if before.opname in (*_CALLED, *_READS) and isinstance(before.argval, str) else None

    def calls_ahead(self, here: int, attribute: str, within: Loop | None, beyond: Loop | None = None) -> bool:
        """Whether that may still be called after that place, in the same round of the loop `within`, if any, and not
        in `beyond`.
        """
        return bool(self._to_come(self.calls(attribute), here, within, beyond))

    def _to_come(self, places: list[int], here: int, within: Loop | None, beyond: Loop | None) -> list[int]:
        """The places among these that may still be come to."""
        ahead = self._ahead(self._at(here))
        return [
            place
            for place in places
            if place in ahead
            and (within is None or within.holds(self.position(place)))
            and not (beyond is not None and beyond.holds(self.position(place)))
        ]

    def binds_receiver(self, loop: Loop, place: int) -> bool:
        """Whether a call's object is what each round of a loop gives another value to: `opt` in `for opt in opts`."""
        bound = self.bound_by(loop)
        index = self._index[self._at(place)]
        line = self.position(place)[0]
        read: set[str] = set()
        for instruction in self.instructions[max(0, index - 12) : index]:
            if self.position(instruction.offset)[0] == line and instruction.opname in _READS:
                read.add(instruction.argval)
        return not bound.isdisjoint(read)

    def bound_by(self, loop: Loop) -> set[str]:
        """The variables of a `for` loop."""
        bound: set[str] = set()
        start = self._index.get(loop.first, 0)
        if self.instructions[start].opname != "FOR_ITER":
            return bound
        for instruction in self.instructions[start + 1 :]:
            if instruction.opname in _BINDS:
                bound.add(instruction.argval)
            elif instruction.opname == "STORE_FAST_STORE_FAST":  # Python 3.13 on
                bound.update(instruction.argval)
            elif instruction.opname not in ("UNPACK_SEQUENCE", "UNPACK_EX", "RESUME", "NOP"):
                break
        return bound

    def loop_variables(self) -> set[str]:
        """What the rounds of `for` loops give other values to."""
        found: set[str] = set()
        for loop in self.loops:
            found |= self.bound_by(loop)
        return found

    def _at(self, place: int) -> int:
        """The offset of the instruction itself."""
        return self._offsets[max(0, bisect_right(self._offsets, place) - 1)]

    def _find(self) -> list[Loop]:
        found = []
        for instruction in self.instructions:
            if instruction.opcode in _JUMPS and (target := instruction.argval) <= instruction.offset:
                inside = [
                    self._positions[one.offset]
                    for one in self.instructions[self._index[target] : self._index[instruction.offset] + 1]
                    if one.positions is not None and one.positions.lineno is not None
                ]
                if inside:
                    first = self.instructions[self._index[target]].offset
                    found.append(Loop(min(inside), max(inside), first, instruction.offset))
        by_start: dict[int, Loop] = {}  # `continue` is a second way back to the start of the same loop
        for loop in found:
            known = by_start.get(loop.first)
            if known is not None:
                loop = Loop(
                    min(known.begins, loop.begins), max(known.ends, loop.ends), loop.first, max(known.last, loop.last)
                )
            by_start[loop.first] = loop
        return sorted(by_start.values(), key=lambda loop: loop.last - loop.first)

    def _ahead(self, here: int) -> frozenset[int]:
        """What may run after that place without another round of any loop: at the end of a round it is left."""
        known = self._known_ahead.get(here)
        if known is None:
            known = self._known_ahead[here] = frozenset(self._walk(here))
        return known

    def _walk(self, here: int) -> set[int]:
        seen: set[int] = set()
        waiting = [self._index[here] + 1]
        while waiting:
            index = waiting.pop()
            while index < len(self.instructions):
                instruction = self.instructions[index]
                if instruction.offset in seen:
                    break
                seen.add(instruction.offset)
                if instruction.opcode in _JUMPS:
                    if (target := self._index.get(instruction.argval)) is not None:
                        waiting += [target] if target > index else self._ways_out(target, index)
                    if "BACKWARD" in instruction.opname and "IF" not in instruction.opname:
                        break
                if instruction.opname in _NO_WAY_ON:
                    break
                index += 1
        return seen

    def _ways_out(self, first: int, last: int) -> list[int]:
        """The places that the jumps out of a loop lead to (`first` and `last` are numbers of instructions)."""
        targets = (
            self._index.get(instruction.argval)
            for instruction in self.instructions[first:last]
            if instruction.opcode in _JUMPS
        )
        return [target for target in targets if target is not None and target > last]


@lru_cache(maxsize=256)
def loops_of(code: CodeType) -> Loops:
    """The loops of that function, looked for once."""
    return Loops(code)
