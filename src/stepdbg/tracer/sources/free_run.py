"""Phases that pass by in a free run: noted as they happen, and replayed into the phase tracker when
that is looked at.

Between two kernels of torch's nearly everything that the interpreter touches has to come from memory again, so a
boundary costs what it touches: above all the code of each function that is called, more than a microsecond apiece. A
boundary that nobody looks at therefore only adds a few numbers to a list and one to the shared page, and where it is
the usual one of its kind its wrapper in `sources` writes them itself, in one function. The phase tracker replays
many of them at once, which is quick, after `LAG_NS` at the latest and before anything reads it (`Tracer.phases`).
Noted are phases at the level of the script itself; whatever happens inside one goes the long way.
"""

from __future__ import annotations

import sys
import weakref
from collections.abc import Callable, Container, Hashable, Iterator
from threading import get_ident
from time import monotonic_ns
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Any

import torch

from stepdbg.protocol.page import BELL, USUAL_PHASES, Page
from stepdbg.tracer.introspect import stack
from stepdbg.tracer.introspect.unobserved import unseen
from stepdbg.tracer.phases.optimizers_in_use import place_of
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import BY_HAND, PhaseTracker
from stepdbg.tracer.phases.turns import AFTERWARDS
from stepdbg.tracer.stays_here import StaysHere

if TYPE_CHECKING:
    from stepdbg.tracer.nonfinite.checks import Checks
    from stepdbg.tracer.objects.registry import Registry
    from stepdbg.tracer.session.losses import Losses
    from stepdbg.tracer.session.rank import Rank

LAG_NS = 150_000_000
"""The update on the page is at most so old (the hub looks at it five times a second). The bell is heard at a forward,
or at the first boundary after so long."""
_nodes_so_far = torch._C._autograd._get_sequence_nr
"""The number that this thread's next node of a graph will have."""
NOTED = Phase("", 0, 0, None)
"""Stands for a phase that is only noted."""
_ALIKE = 3
"""After so many updates of one make the next one is expected to be alike; and so many are made up at the end."""
_FIELDS = 4
"""The number of notes of each phase: its name, its optimizer (of a backward: what its loss is called), when it began,
and when its call
returned (0 where it is no call)."""


ZERO_GRAD, FORWARD, LOSS, BACKWARD, STEP = range(len(USUAL_PHASES))
"""Places on the page."""


_UsualOpening = tuple[str, Hashable, CodeType, int, tuple[tuple[CodeType, int], ...]]
"""A place at which an update opens each time: the phase that begins there, the optimizer that has stepped last, the
function and its instruction, and those that have called it, innermost first. (A plain tuple is quick to take apart.)
"""


class FreeRunLog(StaysHere):
    """The notes. The sources and `Tracer.end` write them, without a call that can be spared."""

    __slots__ = (
        "_losses",
        "_lost_in",
        "_page",
        "_phases",
        "_rank",
        "_registry",
        "_usual",
        "_values",
        "after_step",
        "backward_due",
        "checks",
        "decided",
        "due",
        "forward_due",
        "key",
        "loss",
        "loss_due",
        "loss_holds",
        "losses",
        "made",
        "memory",
        "most",
        "norm_holds",
        "notes",
        "open",
        "output",
        "phase",
        "starts",
        "step_due",
        "still",
        "thread",
        "zero_grad_due",
    )  # fmt: skip

    def __init__(self, phases: PhaseTracker, registry: Registry, rank: Rank, losses: Losses) -> None:
        self._phases = phases
        self._registry = registry
        self._rank = rank
        self._losses = losses
        self.notes: list[Any] = []
        """`_FIELDS` after `_FIELDS`, in the order of what happened; one fewer for a phase whose call is open."""
        self.due = 0
        """The time until which phases are noted (ns, monotonic), 0 while they are not; the usual ones have each their
        own."""
        self.zero_grad_due = self.forward_due = self.loss_due = self.backward_due = self.step_due = 0
        self.after_step: Hashable = None
        """The optimizer that has stepped last, while the next phase may open an update: it is noted where `knows` says
        that it is known whether one opens. None where no optimizer has stepped yet in this update."""
        self.decided: dict[int, bool] = {}
        """Whether an update opens with a phase, by the number of the notes before it, where the place tells."""
        self.most = 0
        """So many entries the notes may have before somebody looks: an update that is waited for may open then."""
        self.loss_holds: Callable[[float], bool] | None = None
        """Whether training is to be looked at before a `backward` that is called on a loss of that value."""
        self.still: Callable[[], bool] | None = None
        """Whether each value that is watched is as it was when it was looked at last; None where none is watched."""
        self.norm_holds: Callable[[], bool] | None = None
        """Whether training is to be looked at before a step, by the norm of the gradients."""
        self.checks: Checks | None = None
        """What is looked at for the first bad value, at each phase; None where nothing is."""
        self.open: str | None = None
        """The phase noted whose call is open."""
        self.phase: Phase | None = None
        """The phase noted whose call is open, where the notes have been replayed since it began."""
        self.key: Any = None
        """The optimizer of the open phase, as `key_of` tells it; None where it has none."""
        self._page: Page
        self.memory: memoryview
        """The memory of the shared page, with the bell in it."""
        self.starts: memoryview[int]
        """The times on the page at which each phase began last; the usual ones have the places `ZERO_GRAD` to
        `STEP`."""
        self.output: weakref.ref[torch.Tensor] | None = None
        """What the newest forward returned, where the registry has not been told."""
        self.made = -2
        """No less than the age of that output, which may be gone by then, and less than that of what is made of it."""
        self.loss: tuple[weakref.ref[torch.Tensor], str] | None = None
        """The newest loss, likewise, and its name."""
        self.losses: list[float] = []
        """The values of those losses whose backward is noted, in that order."""
        self._values: Iterator[float] = iter(())
        """The values of the noted losses, while the notes are replayed."""
        self.thread = get_ident()
        """The thread that trains."""
        self._lost_in = 1
        """The update of the newest loss."""
        self._usual: _UsualOpening | None = None
        """The place at which the last update has opened, since phases are noted: most updates open where the last one
        did, and that is found out in half the time."""

    def begin_anew(self) -> None:
        """Nothing is noted, and this thread is the one that trains."""
        self.notes, self.losses, self.decided = [], [], {}
        self.disarm()
        self.open = self.phase = self.key = self.output = self.loss = None
        self._lost_in = self._phases.update
        self.made = -2  # each thread numbers its own nodes
        self.thread = get_ident()

    def has_noted(self, names: tuple[str, ...]) -> bool:
        """Whether a phase of any of these names is among the notes."""
        return any(name in names for name in self.notes[::_FIELDS])

    def knows(self, name: str, frame: FrameType | None) -> bool:
        """Whether it is known if an update opens with a phase that the code of that frame calls for, by what was seen
        when it was called for there, by way of the same calls: evaluations after the loop come from elsewhere, even
        where they share a function with training.
        """
        if self._usual is not None and frame is not None:
            usual, stepped, function, place, callers = self._usual
            if usual == name and frame.f_lasti == place and frame.f_code is function and stepped == self.after_step:
                at = frame.f_back
                for code, instruction in callers:
                    if at is None or at.f_lasti != instruction or at.f_code is not code:
                        break
                    at = at.f_back
                else:
                    if at is None:
                        self.decided[len(self.notes)], self.after_step = True, None
                        return True
        known = self._phases.optimizers.places.get(place_of(name, self.after_step, frame))
        if known is None or (known.opens is None and not known.by_order):
            return False
        if known.opens is not None:
            self.decided[len(self.notes)] = known.opens
        if known.opens:
            if frame is not None:
                self._usual = name, self.after_step, frame.f_code, frame.f_lasti, (*stack.calls(frame.f_back),)
            self.after_step = None
        return True

    def may_have_loss(self) -> bool:
        """Whether a loss may have been made of the newest forward's output: anything that has a graph was."""
        return bool(_nodes_so_far() - 1 != self.made)

    def doubt_of_loss(self) -> Callable[[], bool]:
        """What tells, as the next phase begins, whether a loss was made: `may_have_loss` of the newest forward now."""
        made = self.made
        return lambda: bool(_nodes_so_far() - 1 != made)

    def takes_back_loss(self) -> bool:
        """Take back that a loss was begun, where that is noted last: another forward comes before any backward."""
        notes = self.notes
        if not notes or notes[-1] != 0 or notes[-_FIELDS] != "loss":
            return False
        del notes[-_FIELDS:]
        self.decided.pop(len(notes), None)
        return True

    def enter(self, name: str, optimizer: Any, call: bool, frame: FrameType) -> bool:
        """Note that a phase begins, which that frame calls for, if phases are noted just now; else it has to go the
        long way.
        """
        now = monotonic_ns()
        if (
            now > self.due
            or (self.still is not None and not self.still())
            or self.open is not None
            or self.memory[BELL]
            or get_ident() != self.thread
        ):
            return False
        if len(self.notes) >= self.most or (self._phases.pending_backward and not self.may_have_loss()):
            return False
        if self.after_step is not None and name not in AFTERWARDS and not self.knows(name, stack.calling(frame)):
            return False
        if name == "step":
            self.after_step = BY_HAND if optimizer is None else optimizer
        self.notes += (name, optimizer, now) if call else (name, optimizer, now, 0)
        if call:
            self.open = name
        self._page.enter(now, name)
        return True

    def arm(self, now_ns: int, watched: Container[str] = (), phases: int | None = None) -> None:
        """Nobody looks, and no call is open: from now on phases are noted.

        Args:
            now_ns: The time.
            watched: The names of phases that are not.
            phases: So many are noted at most; None for no limit.
        """
        page = self._rank.page
        if page is None:
            return
        self._page, self.memory, self.starts = page, page.memory, page.starts
        self.due = due = now_ns + LAG_NS
        self._usual = None  # something else may have been seen there since
        self.zero_grad_due = 0 if "zero_grad" in watched else due
        self.forward_due = 0 if "forward" in watched else due
        self.loss_due = 0 if "loss" in watched else due
        self.backward_due = 0 if "backward" in watched else due
        self.step_due = 0 if "step" in watched else due
        optimizers = self._phases.optimizers
        self.after_step = optimizers.newest if optimizers.stepped else None
        self.most = sys.maxsize if phases is None else len(self.notes) + phases * _FIELDS

    def disarm(self) -> None:
        """Phases are not noted any more."""
        self.due = self.zero_grad_due = self.forward_due = self.loss_due = self.backward_due = self.step_due = 0

    def replay(self) -> None:
        """Replay the notes into the phase tracker."""
        notes, self.notes = self.notes, []
        decided, self.decided = self.decided, {}
        self.most -= len(notes)  # somebody may have read the phase tracker while phases are noted
        self._values, self.losses = iter(self.losses), []
        phases, update = self._phases, self._phases.update
        end = len(notes) // _FIELDS * _FIELDS
        names, optimizers = notes[:end:_FIELDS], notes[1:end:_FIELDS]
        decisions = [decided.get(at) for at in range(0, end + 1, _FIELDS)]
        openings: list[int] = []
        place = 0
        while place < len(names):
            if len(openings) >= _ALIKE:
                place += self._pass_over(names, optimizers, decisions, place, openings)
            before = phases.update
            name, key, began, ended = notes[place * _FIELDS : (place + 1) * _FIELDS]
            self._replay(name, key, began, ended, decisions[place])
            if phases.update != before:
                openings.append(place)
            place += 1
        if self.open is not None and self.phase is None:
            name, self.key, began = notes[-_FIELDS + 1 :]
            self.phase = self._begin(name, self.key, began, decisions[-1])
        running = phases.running
        if running is not None and running.name == "loss" and running.doubt is None:
            running.doubt = self.doubt_of_loss()
        if phases.update != update and self._rank.page is not None:
            self._rank.page.progress(phases.update, phases.epoch)
        if self.output is not None:
            self._registry.newest.note_output(self.output)
            self._registry.newest.called.note_made(self.made)
        if self.loss is not None:
            with unseen():  # a mode of the script's may be on where the notes are read
                self._registry.newest.add_loss(*self.loss, self._lost_in)
            phases.note_loss(*self.loss)
        self.output = self.loss = None

    def _begin(self, name: str, key: Any, began: int, opens: bool | None, *, call: bool = True) -> Phase:
        """The phase as the tracker has it; where it is a backward, with its loss."""
        phases = self._phases
        if name != "backward" or key is None:
            return phases.pass_by(name, key, began, call=call, opens=opens)
        phase = phases.pass_by(name, None, began, opens=opens)
        self._losses.take(next(self._values), key, phases.update)
        self._lost_in = phases.update
        phase.loss = key
        return phase

    def _replay(self, name: str, key: Any, began: int, ended: int, opens: bool | None) -> None:
        """Replay one phase."""
        phase = self._begin(name, key, began, opens, call=ended != 0)
        if ended:
            if name == "step":
                self._phases.optimizers.note_step(key)
            self._phases.leave(phase, ended)

    def _pass_over(
        self, names: list[str], keys: list[Any], decisions: list[bool | None], place: int, openings: list[int]
    ) -> int:
        """Pass over updates that are like the one before: only the last ones are replayed, of the others nothing is
        kept.

        Returns:
            How many phases are passed over, `place` being where an update is due to open.
        """
        period = openings[-1] - openings[-2]
        if place != openings[-1] + period or openings[-2] - openings[-3] != period:
            return 0
        pattern, owners = names[place - period : place], keys[place - period : place]
        alike = pattern, owners, decisions[place - period : place]
        before = slice(place - 2 * period, place - period)
        if (names[before], keys[before], decisions[before]) != alike:
            return 0
        openings.clear()  # one time is enough: what follows is of another kind, or the end
        end = place
        while (names[end : end + period], keys[end : end + period], decisions[end : end + period]) == alike:
            end += period
        updates = max(0, (end - place) // period - _ALIKE)
        losses = [key for at, key in enumerate(owners) if pattern[at] == "backward" and key is not None]
        self._losses.take_all(losses, self._phases.update + 1, updates, self._values)
        self._phases.update += updates
        self._phases.index += updates * period
        return updates * period
