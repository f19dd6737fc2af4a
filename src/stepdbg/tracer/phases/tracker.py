"""Where training is: phases, updates, epochs, and what comes next by the order learned so far.

No torch here: a source says what begins and what ends, by name, and an optimizer is whatever can be told apart. The
rule for when a new update opens is that of the design's word list.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

from msgspec import Struct

from stepdbg.protocol.messages import Boundary, PhaseRecord
from stepdbg.protocol.phases import KINDS
from stepdbg.tracer.phases.optimizers_in_use import OptimizersInUse
from stepdbg.tracer.phases.order import follows, last_of, names_at
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.turns import Turn
from stepdbg.tracer.stays_here import StaysHere

_CLOSED = frozenset(kind.name for kind in KINDS if kind.is_call)
"""Calls of torch's in which no update opens. (A `with stepdbg.phase(…)` may hold whole updates.)"""

BY_HAND = "by hand"
"""Stands for the optimizer where the script steps by hand."""
_MAKERS = {"batch": ("data",), "output": ("forward",), "loss": ("loss", "backward")}
"""The phases in which the objects of a kind come into being."""


class _Opening(Struct):
    """What the opening of an update put away, for `take_back`."""

    done: list[Phase]
    before: list[Phase]
    stepped: set[Hashable]
    required: set[Hashable]


@dataclass(slots=True)
class PhaseTracker(StaysHere):
    """The phases of one training process, one after the other."""

    index: int = 0
    update: int = 1
    epoch: int | None = None
    loss: float | None = None
    """The newest one that backward was called on; None where that was no number."""
    loss_of: int | None = None
    """The update that it is of."""
    open: Phase | None = None
    """The innermost call that is open; None at the level of the script itself."""
    running: Phase | None = None
    """A phase at that level that ends where the next begins (loss, and every phase of a generator loop)."""
    last: Phase | None = None
    """The phase at that level that was done last."""
    done: list[Phase] = field(default_factory=list)
    """The phases done in this update."""
    before: list[Phase] = field(default_factory=list)
    """The phases of the last complete update."""
    optimizers: OptimizersInUse = field(default_factory=OptimizersInUse)
    """The optimizers, which say where an update opens."""
    pending_backward: bool = False
    """Between a training forward and its backward."""
    merged: bool = False
    """What was assumed to run before the newest boundary did not: it is one with the boundary before."""
    _opening: _Opening | None = None

    def begin_anew(self) -> None:
        """Forget all: nothing has happened yet in this process."""
        fresh = PhaseTracker()
        for name in PhaseTracker.__slots__:
            setattr(self, name, getattr(fresh, name))

    # while somebody may look

    def advance(
        self, following: str | None, now_ns: int, optimizer: Hashable, *, silent: bool = False, turn: Turn | None = None
    ) -> tuple[Phase | None, int | None]:
        """Close the phase that runs and stand before `following` (None at the end of the script).

        Args:
            following: The phase that is about to begin.
            now_ns: The time.
            optimizer: Whose phase it is.
            silent: Nothing lies between this boundary and the one before: they are one.
            turn: What the user's loops tell, if they do (`rounds`).

        Returns:
            The phase done, and the number of the update that opens here.
        """
        self._arrive(following, optimizer, now_ns, silent)
        done = None if following is None and self.merged else self.last
        return done, self._opens(following, optimizer, turn)

    def opened_ns(self) -> int:
        """The time at which the first phase of this update began (`monotonic_ns`); later than all there was, where none
        has yet.
        """
        began = [phase.began_ns for phase in self.done]
        outer = self.open
        while outer is not None:
            began.append(outer.began_ns)
            outer = outer.outer
        return min(began, default=1 << 63)

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
            inside=self.inside,
            epoch=done.epoch if done else self.epoch,
            ms=round(done.ms(now_ns), 4) if done else None,
            loss=self.loss,
            skipped=bool(done and done.skipped),
            over=done.over if done else None,
        )

    def depart(
        self, name: str, now_ns: int, opens: int | None, call: bool, in_order: bool, optimizer: Hashable = None
    ) -> Phase:
        """Begin that phase: an open call, or one that ends where the next begins."""
        if opens is not None and opens != self.update:
            self._open(opens)
        phase = Phase(name, now_ns, self.update, self.open, in_order, self.epoch, key=optimizer)
        self.last = None
        if call:
            self.open = phase
        else:
            self.running = phase
        return phase

    # while nobody looks

    def pass_by(
        self,
        name: str,
        optimizer: Hashable,
        now_ns: int,
        call: bool = True,
        in_order: bool = True,
        silent: bool = False,
        turn: Turn | None = None,
        opens: bool | None = None,
    ) -> Phase:
        """`advance` and `depart` at once; `opens` says whether an update opens, where that is known."""
        self._arrive(name, optimizer, now_ns, silent)
        return self.depart(name, now_ns, self._opens(name, optimizer, turn, opens), call, in_order, optimizer)

    # what has ended

    def leave(self, phase: Phase, now_ns: int) -> None:
        """The call of that phase has returned, or was left by an exception."""
        level = self.open
        while level is not None and level is not phase:
            level = level.outer
        if level is None:
            return
        if self.running is not None:
            self.close_running(self.running, now_ns)
        while self.open is not None:  # those inside it were left by the same exception
            level, self.open = self.open, self.open.outer
            self._end(level, now_ns)
            if level is phase:
                break
        self.last, self.running = phase, None

    def close_running(self, phase: Phase, now_ns: int) -> None:
        """End that phase, if it still runs, where none is known to follow."""
        if self.running is phase:
            self.running = None
            if phase.doubt is not None and not phase.doubt():
                self._retracted()
                self.merged = True
                return
            self.last = phase
            self._end(phase, now_ns)
            if not self.optimizers.stepped and phase.name == "step" and phase.outer is None:
                self.optimizers.note_step(BY_HAND)

    def note_loss(self, loss: Any, name: str) -> None:
        """The newest backward was called on that tensor (a weak reference to it), which is called so."""
        known = (*self.before, *self.done, *((self.open,) if self.open is not None else ()))
        newest = next((phase for phase in reversed(known) if phase.name == "backward"), None)
        if newest is not None and newest.on is None and newest.loss == name:
            newest.on = loss

    def take_back(self, phase: Phase) -> None:
        """Take back that phase, done last, since it was none: the loader had no batch left, or feeds no training.

        It is no part of the order, and no update opens with it.
        """
        phase.in_order = False
        opening = self._opening
        if opening is None or phase.update != self.update or self.optimizers.stepped:
            return
        if all(other is phase or not other.in_order for other in self.done):
            done = [other for other in self.done if other is not phase]
            self.done = [*opening.done, *done]
            self.before = opening.before
            self.optimizers.back_to(opening.stepped, opening.required)
            self._opening = None
            self.update -= 1
            phase.update = self.update

    def retract(self) -> None:
        """What runs turned out to be nothing: there was no loss phase between that forward and this call."""
        if self.running is not None:
            self.running = None
            self._retracted()

    def no_loss_came(self) -> None:
        """The script has come to its end, and no backward to the newest forward: that a loss followed on it was only
        foretold, and what came after it is no phase.
        """
        if self.running is not None and self.running.name == "loss":
            self.running.doubt = lambda: False

    def conclude(self, *, ended: bool) -> None:
        """The script is over. If it has come to its end, an update in which nothing was learned was none: its phases
        end the one before.
        """
        opening = self._opening
        learns = ("backward", "step")
        if (
            ended
            and opening is not None
            and not self.optimizers.stepped
            and not any(phase.name in learns for phase in self.done)
        ):
            self.done = [*opening.done, *self.done]
            self.before = opening.before
            self.optimizers.back_to(opening.stepped, opening.required)
            self._opening = None
            self.update -= 1
            for phase in self.done:
                phase.update = self.update

    def waited(self, ns: int) -> None:
        """Training has waited for the user while these phases ran: that is none of their time."""
        if self.running is not None:
            self.running.began_ns += ns
        level = self.open
        while level is not None:
            level.began_ns += ns
            level = level.outer

    # what is known

    @property
    def inside(self) -> tuple[str, ...]:
        """The names of the calls that are open, outermost first."""
        level = self.open
        return () if level is None else (*level.inside, level.name)

    @property
    def current(self) -> Phase | None:
        """The innermost phase that runs."""
        return self.running or self.open

    def within(self, name: str) -> bool:
        """Whether a call of that phase is open."""
        level = self.open
        while level is not None:
            if level.name == name:
                return True
            level = level.outer
        return False

    def foretell(self, phase: str, *, begins: bool = False) -> str | None:
        """What followed on that phase, which is done or begins, in the last update; the usual order where nothing has
        been learned. Between a forward and its backward evaluations are part of the order.
        """
        inside, evaluations = self.inside, self.pending_backward
        done = names_at(self.done, inside, evaluations=evaluations)
        if begins:
            done.append(phase)
        before = names_at(self.before, inside, evaluations=evaluations)
        return follows(phase, before, done, inside=bool(inside), evaluations=evaluations)

    def update_of(self, following: str) -> int:
        """The update that a phase which begins now is part of, by the order of phases."""
        return self._opens(following, None, None) or self.update

    def is_last(self, name: str) -> bool:
        """Whether an update ends with that phase, by the order learned."""
        return name == (last_of(self.before) or "step")

    def records(self) -> tuple[PhaseRecord, ...]:
        """The phases done in this update, as they are sent."""
        return _records(self.done)

    def made_in(self) -> dict[str, int]:
        """The update that the newest batch, output and loss are of, by kind; left out where no phase tells."""
        found = {} if self.loss_of is None else {"loss": self.loss_of}
        for kind, makers in _MAKERS.items():
            if kind in found:
                continue
            for phases, update in ((self.done, self.update), (self.before, self.update - 1)):
                if any(phase.name in makers for phase in phases):
                    found[kind] = update
                    break
        return found

    def previous(self) -> tuple[PhaseRecord, ...]:
        """The records of the phases of the last complete update."""
        return _records(self.before)

    def _arrive(self, following: str | None, optimizer: Hashable, now_ns: int, silent: bool) -> None:
        if following == "zero_grad" and self.optimizers.stepped:
            self.optimizers.note_zero_grad(optimizer)
        self.merged = False
        if self.running is not None:
            if following == "backward" and self.running.name == "loss":
                self.running.doubt = None  # whatever backward is called on is the loss
            self.close_running(self.running, now_ns)
        if not silent and (not self.merged or following is None):
            self.index += 1

    def _end(self, phase: Phase, now_ns: int) -> None:
        phase.ended_ns = phase.ended_ns or now_ns
        if phase.update == self.update:
            self.done.append(phase)

    def _retracted(self) -> None:
        self.last = next((phase for phase in reversed(self.done) if phase.outer is self.open), None)

    def _opens(
        self, following: str | None, optimizer: Hashable, turn: Turn | None, opens: bool | None = None
    ) -> int | None:
        optimizers = self.optimizers
        place, optimizers.place = optimizers.place, None
        if self.index == 1 and following is not None:
            return self.update
        if not optimizers.stepped or following is None or self._closed():
            return None
        if opens is None:
            opens = optimizers.opens_update(following, optimizer, turn, self.done, self.before, place)
        return self.update + 1 if opens else None

    def _closed(self) -> bool:
        """Whether a call is open in which no update opens."""
        level = self.open
        while level is not None:
            if level.name in _CLOSED:
                return True
            level = level.outer
        return False

    def _open(self, update: int) -> None:
        self._opening = _Opening(self.done, self.before, self.optimizers.stepped, self.optimizers.required)
        self.before, self.done = self.done, []
        self.update = update
        self.optimizers.next_update()


def _records(phases: list[Phase]) -> tuple[PhaseRecord, ...]:
    return tuple(
        PhaseRecord(phase.name, round(phase.ms(0), 4), phase.inside, phase.effects, phase.skipped)
        for phase in phases
        if phase.in_order
    )
