"""The code objects that have a line which is waited for, each with what is to be known of it at such a line."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import CodeType, FrameType

from stepdbg.listing.source_lines import CodeLines, lines_of

Wanted = Callable[[str], frozenset[int] | None]
"""The lines that are waited for in a file, by the name that its code objects bear; None where it is none of the
user's."""
Reached = Callable[[FrameType, int], None]
"""Is called in the frame that is about to run a line that is waited for. It must not raise."""
IsCompiled = Callable[[CodeType], bool]
"""Whether a compiler has made a code object of the user's code: such a one is not stopped in."""


GaveUp = Callable[[Exception], object]
"""Is told what has failed of ours while the user's code runs: near the limit of the stack anything may."""


class WatchedCodes:
    """Code objects by their identity: Python calls two of them equal that stand in different places."""

    def __init__(self, wanted: Wanted, is_compiled: IsCompiled) -> None:
        self._wanted, self._is_compiled = wanted, is_compiled
        self._known: dict[int, tuple[CodeType, CodeLines]] = {}
        """The code objects of files with such lines, each with those of its own, and with all its repeats."""
        self.lines = set[int]()
        """The lines that are waited for in any of them: most others are told by their number alone."""

    def begin_anew(self) -> list[CodeType]:
        """Forget all of them, since other lines are waited for; those that had one."""
        known, self._known = self._known, {}
        self.lines.clear()
        return [code for code, own in known.values() if own.lines]

    def look_at(self, code: CodeType) -> bool:
        """Whether a code object has a line that is waited for; it is known from now on."""
        known = self._known.get(id(code))
        if known is not None:
            return bool(known[1].lines)
        wanted = self._wanted(code.co_filename)
        if not wanted:
            return False
        own = CodeLines(frozenset(), frozenset()) if self._is_compiled(code) else lines_of(code)
        own = own._replace(lines=own.lines & wanted)
        self._known[id(code)] = (code, own)
        self.lines |= own.lines
        return bool(own.lines)

    def has(self, code: CodeType, line: int) -> bool:
        """Whether that line of a code object is waited for."""
        known = self._known.get(id(code))
        return known is not None and line in known[1].lines

    def is_repeat(self, frame: FrameType) -> bool:
        """Whether the frame comes back to its line in the midst of a statement."""
        return frame.f_lasti in self._known[id(frame.f_code)][1].repeats


def outwards(frame: FrameType | None) -> Iterator[FrameType]:
    """A frame and those that called it, innermost first."""
    while frame is not None:
        yield frame
        frame = frame.f_back
