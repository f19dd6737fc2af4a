"""Phases that pass by in a free run: noted as they happen, and made into the course of training when it is looked at.

Between two kernels of torch's nearly everything that the interpreter touches has to come from memory again, so a
boundary costs what it touches, and the course touches much. A boundary that nobody looks at therefore only adds a few
numbers to a list and writes one line of the shared page. The course is made up from many of them at once, which is
quick, after `LAG_NS` at the latest and before anything reads it (`Tracer.course`). Noted are phases at the level of the
script itself; whatever happens inside one goes the long way.
"""

from __future__ import annotations

import weakref
from mmap import mmap
from typing import TYPE_CHECKING, Any

import torch

from stepdbg.tracer.course import Course, Phase

if TYPE_CHECKING:
    from stepdbg.tracer.losses import Losses
    from stepdbg.tracer.rank import Rank
    from stepdbg.tracer.registry import Registry

LAG_NS = 50_000_000
"""The update on the page is at most so old. (The hub looks at it five times a second.)"""
NOTED = Phase("", 0, 0, None)
"""Stands for a phase that is only noted."""
_ALIKE = 2
"""After so many updates of one make the next one is expected to be alike; and so many are made up at the end."""
_FIELDS = 4
"""Of each phase: its name, its optimizer, when it began, and when its call returned (0 where it is no call)."""
LOSS = ""
"""In the place of a phase's name: a loss; then its name, its value, and 0."""


class Passing:
    """The notes. `Tracer.begin` and `Tracer.end` write them, without a call that can be spared."""

    __slots__ = ("_course", "_losses", "_lost_in", "_named", "_rank", "_registry", "due", "index", "key", "loss",
                 "memory", "notes", "open", "output", "phase")  # fmt: skip

    def __init__(self, course: Course, registry: Registry, rank: Rank, losses: Losses) -> None:
        self._course = course
        self._registry = registry
        self._rank = rank
        self._losses = losses
        self.notes: list[Any] = []
        """`_FIELDS` after `_FIELDS`, in the order of what happened; one fewer for a phase whose call is open."""
        self.due = 0
        """Until when phases are noted (ns, monotonic); 0 while they are not."""
        self.open: str | None = None
        """The phase noted whose call is open."""
        self.phase: Phase | None = None
        """The same, where the course has been made up since it began."""
        self.key: Any = None
        """Its optimizer."""
        self.index = 0
        """The boundary noted last."""
        self.memory: mmap
        """That of the shared page."""
        self.output: weakref.ref[torch.Tensor] | None = None
        """What the newest forward returned, where the registry has not been told."""
        self.loss: tuple[weakref.ref[torch.Tensor], str] | None = None
        """The newest loss, likewise, and its name."""
        self._named: str | None = None
        """The name of a loss whose backward comes next."""
        self._lost_in = 1
        """The update of the newest loss."""

    def arm(self, now_ns: int) -> None:
        """Nobody looks, and no call is open: from now on phases are noted."""
        page = self._rank.page
        if page is not None:
            self.memory, self.index, self.due = page.memory, self._course.index, now_ns + LAG_NS

    def catch_up(self) -> None:
        """Make up the course from the notes."""
        notes, self.notes = self.notes, []
        update = self._course.update
        whole = len(notes) // _FIELDS
        what = list(zip(notes[: whole * _FIELDS : _FIELDS], notes[1 : whole * _FIELDS : _FIELDS], strict=True))
        openings: list[int] = []
        self._named = None
        place = 0
        while place < whole:
            if len(openings) == _ALIKE:
                place += self._pass_over(notes, what, place, openings)
            before = self._course.update
            self._make_up(*notes[place * _FIELDS : (place + 1) * _FIELDS])
            if self._course.update != before:
                openings.append(place)
            place += 1
        if self.open is not None and self.phase is None:
            name, self.key, began = notes[-_FIELDS + 1 :]
            self.phase = self._course.pass_by(name, self.key, began)
            self.phase.loss = self._named
        if self._course.update != update and self._rank.page is not None:
            self._rank.page.progress(self._course.update, self._course.epoch)
        if self.output is not None:
            self._registry.note_output(self.output)
        if self.loss is not None:
            self._registry.add_loss(*self.loss, self._lost_in)
        self.output = self.loss = None

    def _make_up(self, name: str, key: Any, began: Any, ended: int) -> None:
        """One phase, or one loss."""
        course = self._course
        if name is LOSS:
            self._losses.take(began, key, course.update)
            self._named, self._lost_in = key, course.update
            return
        phase = course.pass_by(name, key, began, call=ended != 0)
        if self._named is not None:
            phase.loss, self._named = self._named, None
        if ended:
            if name == "step":
                course.note_step(key)
            course.leave(phase, ended)

    def _pass_over(self, notes: list[Any], what: list[tuple[str, Any]], place: int, openings: list[int]) -> int:
        """Where one update is like the other, only the last ones are made up: of those before, nothing is kept.

        Returns:
            How many notes are passed over, `place` being where an update is due to open.
        """
        period = openings[-1] - openings[-2]
        if place != openings[-1] + period:
            return 0
        pattern = what[place - period : place]
        if pattern != what[place - 2 * period : place - period]:
            return 0
        openings.clear()  # one time is enough: what follows is of another kind, or the end
        opens = self._course.update + 1
        alike = 0
        while what[place + alike * period : place + (alike + 1) * period] == pattern:
            alike += 1
        over = max(0, alike - _ALIKE) * period
        updates = over // period
        for number, (name, key) in enumerate(what[place : place + over]):
            if name is LOSS:
                value = notes[(place + number) * _FIELDS + 2]
                self._losses.take(value, key, opens + number // period)
        self._course.update += updates
        self._course.index += updates * sum(name is not LOSS for name, _ in pattern)
        return over
