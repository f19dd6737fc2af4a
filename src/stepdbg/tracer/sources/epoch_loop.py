"""The round of a loop over epochs, where its variable says that it is one: `for epoch in range(10)`.

A loader, or the data that it reads, tells the epoch by how often it was iterated over. Where both are made anew each
time, only the loop around can tell that it is the next epoch, and not the first one of something else.
"""

from __future__ import annotations

from types import CodeType, FrameType
from typing import NamedTuple

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.loops import loops_of


class Round(NamedTuple):
    """A round of such a loop."""

    code: CodeType
    first: int
    """The place at which the loop is entered again."""
    number: int
    """The value of its variable."""

    def since(self, other: Round) -> int | None:
        """How many rounds later this one is; None where they are of different loops."""
        return self.number - other.number if (self.code, self.first) == (other.code, other.first) else None


def round_of(frame: FrameType | None) -> Round | None:
    """The round that somebody's code is in, innermost loop first; None where no loop counts epochs."""
    for one in frames.stack(frame):
        loops = loops_of(one.f_code)
        for loop in loops.around(one.f_lasti):
            for name in loops.bound_by(loop):
                if "epoch" in name.lower():
                    number = frames.local_variables(one).get(name)
                    return Round(one.f_code, loop.first, number) if type(number) is int else None
    return None
