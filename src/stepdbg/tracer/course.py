"""Where training is in its course: phases, updates, epochs, and what comes next by the order learned so far.

No torch here: a source says what begins and what ends, by name, and an optimizer is whatever can be told apart. The
rule for when a new update opens is that of the design's word list.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from stepdbg.protocol.messages import Boundary, Effects, PhaseRecord

USUAL_ORDER = ("data", "zero_grad", "forward", "loss", "backward", "step")
"""What is foretold while nothing has been learned."""


class Phase:
    """A phase that runs or has run. Most of what it may hold stays at the class's default in a free run."""

    ended_ns = 0
    """When the call returned; 0 while it runs."""
    effects: Effects | None = None
    place: tuple[str, int] | None = None
    """File and line where it was called; known only while somebody looks."""
    skipped = False
    kept = True
    """False for what is no part of the order: evaluation, a loader that had no batch left."""

    def __init__(self, name: str, began_ns: int, update: int) -> None:
        self.name = name
        self.began_ns = began_ns
        self.update = update

    def ms(self, now_ns: int) -> float:
        """Duration of the call, or until now where it was none."""
        return ((self.ended_ns or now_ns) - self.began_ns) / 1e6


@dataclass(slots=True)
class Level:
    """What happens inside one open call; the outermost is the script itself."""

    inside: tuple[str, ...] = ()
    running: Phase | None = None
    """A phase that ends where the next begins (loss, and every phase of a generator loop)."""
    last: Phase | None = None
    """The phase done last."""


@dataclass(slots=True)
class Course:
    """The course of one training process."""

    index: int = 0
    update: int = 1
    epoch: int | None = None
    loss: float | None = None
    levels: list[Level] = field(default_factory=lambda: [Level()])
    phases: list[tuple[Phase, tuple[str, ...]]] = field(default_factory=list)
    """Those done in this update, each with what encloses it."""
    before: list[tuple[Phase, tuple[str, ...]]] = field(default_factory=list)
    """Those of the last complete update."""
    stepped: set[Hashable] = field(default_factory=set)
    """The optimizers that have stepped in this update."""
    in_use: set[Hashable] = field(default_factory=set)
    """The optimizers that must have stepped before a forward or zero_grad opens an update."""
    pending_backward: bool = False
    """Between a training forward and its backward."""
    _before_opening: tuple[Any, Any, set[Hashable]] | None = None
    """What the newest opening of an update put away, for `take_back`."""

    @property
    def level(self) -> Level:
        """The innermost one."""
        return self.levels[-1]

    def advance(self, following: str | None, now_ns: int, optimizer: Hashable) -> tuple[Phase | None, int | None]:
        """Close the phase that runs and stand before `following` (None at the end of the script).

        Returns:
            The phase done, and the number of the update that opens here.
        """
        level = self.levels[-1]
        if level.running is not None:
            self._close(level.running, now_ns)
            level.last, level.running = level.running, None
        self.index += 1
        return level.last, self._opens(following, optimizer)

    def boundary(
        self, following: str | None, done: Phase | None, opens: int | None, now_ns: int, *, predicted: bool
    ) -> Boundary:
        """The boundary as it is sent."""
        return Boundary(
            index=self.index,
            update=done.update if done else self.update,
            done=done.name if done else None,
            next=following,
            predicted=predicted,
            opens=opens,
            inside=self.level.inside,
            epoch=self.epoch,
            ms=round(done.ms(now_ns), 4) if done else None,
            loss=self.loss,
            skipped=bool(done and done.skipped),
        )

    def depart(self, name: str, now_ns: int, opens: int | None, call: bool, kept: bool) -> Phase:
        """Begin that phase: an open call, or one that ends where the next begins."""
        if opens is not None and opens != self.update:
            self._open(opens)
        level = self.levels[-1]
        phase = Phase(name, now_ns, self.update)
        if not kept:
            phase.kept = False
        level.last = None
        level.running = phase
        if call:
            self.levels.append(Level((*level.inside, name)))
        return phase

    def pass_by(self, name: str, now_ns: int, optimizer: Hashable, call: bool, kept: bool) -> Phase:
        """`advance` and `depart` in one, for a boundary that nobody looks at: this runs at each one of a free run."""
        levels = self.levels
        level = levels[-1]
        if (running := level.running) is not None:
            self._close(running, now_ns)
        self.index += 1
        if self.stepped and (opens := self._opens(name, optimizer)) is not None:
            self._open(opens)
        level.last = None
        level.running = phase = Phase(name, now_ns, self.update)
        if not kept:
            phase.kept = False
        if call:
            levels.append(Level((*level.inside, name)))
        return phase

    def leave(self, phase: Phase, now_ns: int) -> None:
        """The call of that phase has returned, or was left by an exception."""
        levels = self.levels
        if len(levels) > 1 and (level := levels[-2]).running is phase:
            levels.pop()
            phase.ended_ns = now_ns
            if phase.update == self.update:
                self.phases.append((phase, level.inside))
            level.last, level.running = phase, None
            return
        for depth in range(len(levels) - 1, 0, -1):
            level = levels[depth - 1]
            if level.running is phase:
                del levels[depth:]
                self._close(phase, now_ns)
                level.last, level.running = phase, None
                return

    def close_running(self, phase: Phase, now_ns: int) -> None:
        """The phase that runs has ended and none is known to follow."""
        if self.level.running is phase:
            self._close(phase, now_ns)
            self.level.last, self.level.running = phase, None

    def note_step(self, optimizer: Hashable) -> None:
        """That optimizer has stepped."""
        self.stepped.add(optimizer)

    def take_back(self, phase: Phase) -> None:
        """The loader had no batch left: that was no phase of the order, and no update opens with it."""
        phase.kept = False
        if not self.phases and not self.stepped and self._before_opening and phase.update == self.update:
            self.phases, self.before, self.stepped = self._before_opening
            self._before_opening = None
            self.update -= 1
            phase.update = self.update

    def retract(self) -> None:
        """What runs turned out to be nothing: there was no loss phase between that forward and this call."""
        level = self.level
        if level.running is not None and self.phases:
            level.last, level.running = self.phases[-1][0], None

    def foretell(self, done: str) -> str | None:
        """What followed on `done` in the last update; the usual order where nothing has been learned."""
        names = [phase.name for phase, inside in self.before if phase.kept and not inside]
        count = sum(1 for phase, inside in self.phases if not inside and phase.name == done)
        places = [place for place, name in enumerate(names) if name == done]
        if places:
            place = places[min(max(count, 1), len(places)) - 1] + 1
            return names[place] if place < len(names) else (names[0] if names else None)
        if names or done not in USUAL_ORDER:
            return None
        return USUAL_ORDER[(USUAL_ORDER.index(done) + 1) % len(USUAL_ORDER)]

    def is_last(self, name: str) -> bool:
        """Whether an update ends with that phase, by the order learned."""
        names = [phase.name for phase, inside in self.before if phase.kept and not inside]
        return names[-1] == name if names else name == "step"

    def records(self) -> tuple[PhaseRecord, ...]:
        """The phases done in this update, as they are sent."""
        return _records(self.phases)

    def previous(self) -> tuple[PhaseRecord, ...]:
        """Those of the last complete update."""
        return _records(self.before)

    def _close(self, phase: Phase, now_ns: int) -> None:
        if not phase.ended_ns:
            phase.ended_ns = now_ns
        if phase.update == self.update:
            inside = () if len(self.levels) == 1 else self._enclosing(phase)
            self.phases.append((phase, inside))
        if not self.stepped and phase.name == "step" and not self.level.inside:
            self.stepped.add("by hand")

    def _enclosing(self, phase: Phase) -> tuple[str, ...]:
        return next((level.inside for level in self.levels if level.running is phase), ())

    def _opens(self, following: str | None, optimizer: Hashable) -> int | None:
        if self.index == 1 and following is not None:
            return self.update
        if not self.stepped or "step" in self.level.inside:
            return None
        all_stepped = self.in_use <= self.stepped
        again = optimizer is not None and optimizer in self.stepped
        opens = (
            following == "data"
            or (following in ("forward", "zero_grad") and (all_stepped or again))
            or (following == "backward" and all_stepped)
        )
        return self.update + 1 if opens else None

    def _open(self, update: int) -> None:
        self._before_opening = (self.phases, self.before, self.stepped)
        self.before = self.phases
        self.in_use = self.stepped
        self.update = update
        self.phases = []
        self.stepped = set()


def _records(phases: list[tuple[Phase, tuple[str, ...]]]) -> tuple[PhaseRecord, ...]:
    return tuple(
        PhaseRecord(phase.name, round(phase.ms(0), 4), inside, phase.effects, phase.skipped)
        for phase, inside in phases
        if phase.kept
    )
