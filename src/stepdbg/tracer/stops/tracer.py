"""The tracer of this process, which the sources call.

A source says that a phase begins (`begin`) or that its call has returned (`end`). Only where somebody may want
to stop is the boundary between looked at (`boundaries`): in a free run with no breakpoint it is a few counters and one
write to the shared page.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Hashable
from functools import partial
from pathlib import Path
from threading import get_ident
from time import monotonic_ns
from types import FrameType

from stepdbg import api
from stepdbg.protocol import messages as m
from stepdbg.protocol.page import BELL
from stepdbg.tracer.breakpoints.closures import Closures
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.breakpoints.owners import OwnerNames
from stepdbg.tracer.breakpoints.reports import BreakpointReports
from stepdbg.tracer.checks.evidence import Evidence
from stepdbg.tracer.checks.while_stepping import RulesWhileStepping
from stepdbg.tracer.effects.returns import Returns
from stepdbg.tracer.foresight.gradient_scaling import GradientScaling
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.failures import in_words
from stepdbg.tracer.introspect.wrapper_calls import call_at
from stepdbg.tracer.nonfinite.checks import Checks
from stepdbg.tracer.objects.earlier_graphs import Earlier
from stepdbg.tracer.objects.registry import Registry
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.rounds import Rounds
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.connection import HubLost, Link
from stepdbg.tracer.session.losses import Losses
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.session.signal_handlers import Handlers, raised, without_handlers
from stepdbg.tracer.sources.free_run import NOTED, FreeRunLog
from stepdbg.tracer.sources.listeners import Listeners
from stepdbg.tracer.stays_here import StaysHere
from stepdbg.tracer.stepping.orders import Describes
from stepdbg.tracer.stepping.stepper import Stepper
from stepdbg.tracer.stops.boundaries import Boundaries
from stepdbg.tracer.stops.breakpoints_ahead import BreakpointsAhead
from stepdbg.tracer.stops.callers import owner_of, see_call
from stepdbg.tracer.stops.cause import Cause
from stepdbg.tracer.stops.decide import StopPolicy
from stepdbg.tracer.stops.following import Following
from stepdbg.tracer.stops.location import stack_around
from stepdbg.tracer.stops.stop import StopServer
from stepdbg.tracer.stops.watch import PhaseWatch
from stepdbg.tracer.stops.within.exceptions import Exceptions
from stepdbg.tracer.stops.within.inner_stops import InnerStops
from stepdbg.tracer.stops.within.line_stops import LineStops
from stepdbg.tracer.stops.within.named_units import BreakpointUnits
from stepdbg.tracer.tensors import devices


class Tracer(StaysHere):
    """The tracer of this process: silent until the first boundary, quiet for good once the hub is gone."""

    def __init__(self, link: Link, folder: Path) -> None:
        self.gradient_scaling = GradientScaling()
        self.muted = False
        """True when nothing is to be made into boundaries any more."""
        self.driving = False
        """True while a generator loop runs: only its yields make boundaries."""
        self.listeners = Listeners()
        self.tracker = PhaseTracker()
        """The phase tracker; in a free run as it was some moments ago: for what is no matter of phases."""
        self.registry = Registry(earlier=Earlier(self.tracker))
        self.registry.others.tell = partial(self.tell, severity="warning")
        self._rank = Rank(link, folder)
        self.losses = Losses(self.tracker, self._rank)
        self.handlers = Handlers(self.tell)
        self.closures = Closures()
        self.checks = Checks(self, self.registry, self.gradient_scaling)
        self._returns = Returns(self.registry, self.tracker, self.gave_up)
        reports = BreakpointReports(self._rank)
        points = Breakpoints(self.registry, OwnerNames(self.registry, stack_around), self.closures, reports)
        points.late.loss, points.late.newest_loss = lambda: self.losses.kept, self.losses.newest
        self._policy = StopPolicy(self.tracker, points, self.checks)
        fails = partial(self.tell, severity="warning")
        rules = RulesWhileStepping(self.registry, Evidence(self.registry, self.checks), self._rank.say_found, fails)
        self._watch = PhaseWatch(self._returns, self.gradient_scaling, rules)
        self._stop_server = StopServer(
            self._rank, self._returns, self._watch, self.gradient_scaling, self.handlers, self._policy, points
        )
        server = self._stop_server
        self._ahead = BreakpointsAhead(self, points, server.watches, server.history, self._rank)
        self.give_back = self._watch.copies.out_of_memory
        self.free_run = FreeRunLog(self.tracker, self.registry, self._rank, self.losses)
        self._stepper = Stepper(self, self._policy, BreakpointUnits(self, points))
        self.following = Following(self, self._rank, self.losses)
        self.rounds = Rounds(self.tracker)
        self._boundaries = Boundaries(
            self, self._rank, self._policy, self._stop_server, self._watch, self._returns, points
        )
        self.inner_stops = InnerStops(self, self._boundaries, self._stepper, self._policy)
        self.lines = LineStops(self, self._rank, points, self._boundaries, self.inner_stops)
        self._faulty = False
        """Whether a boundary was given up."""
        self.exceptions = Exceptions(self, self._boundaries, self._policy, self._end_of_script)

    # what the sources call

    @property
    def phases(self) -> PhaseTracker:
        """The phase tracker, up to now."""
        if self.free_run.notes:
            self.free_run.replay()
        return self.tracker

    @property
    def thread(self) -> int:
        """The thread that trains."""
        return self.free_run.thread

    @property
    def in_a_call(self) -> bool:
        """Whether the call of a phase is open."""
        return (self.free_run.open or self.tracker.open) is not None

    def listening(self) -> bool:
        """Whether a call in this thread can make boundaries."""
        return not self.muted and get_ident() == self.thread

    def admits(self, name: str) -> bool:
        """Whether a call of that phase makes a boundary here.

        Not while a generator loop is driven, and not inside a call of the same phase: what an override calls of its
        base is no phase of its own.
        """
        if self.muted or self.driving or (get_ident() != self.thread and not self.following.moves_here(name)):
            return False
        return (self.free_run.open is None and self.tracker.open is None) or (
            self.free_run.open != name and not self.phases.within(name)
        )

    def trains_here(self, name: str) -> bool:
        """Whether a call of that phase in this thread is one of training that is debugged."""
        return self.listening() or (get_ident() != self.thread and self.following.moves_here(name))

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""
        self._stepper.over(broken=True)
        self._boundaries.begin_anew()
        self.lines.let_go()
        self.exceptions.let_go()
        self.driving = False

    def begin(
        self,
        name: str,
        optimizer: Hashable = None,
        call: bool = True,
        in_order: bool = True,
        silent: bool = False,
        *,
        predicted: bool = False,
        returning: bool = False,
        at: FrameType | None = None,
        tell: Callable[[int], object] | None = None,
    ) -> Phase:
        """Stand at the boundary before that phase, stop there if need be, and begin it.

        Args:
            name: The phase.
            optimizer: The optimizer whose phase it is.
            call: It is a call that will be ended by `end`; else it ends where the next begins.
            in_order: The phase is part of the order of an update.
            silent: Nothing lies between this boundary and the one before: they are one.
            predicted: What comes next is foretold from the update before, `name` being the guess without one.
            returning: A model's output is just being returned to the user's frame.
            at: The user's frame, where it is not on the stack (a suspended generator).
            tell: Told of the update that the phase is part of, before anybody looks.
        """
        log, ahead = self.free_run, self._ahead
        bad = self.checks.on and self.checks.bad_before(name)
        may_note = in_order and not (silent or bad or ahead.forbids_noting(name))
        if may_note and log.enter(name, optimizer, call, at or sys._getframe(1)):
            if tell is not None:
                tell(self.tracker.update_of(name))
            return NOTED
        log.disarm()
        self.exceptions.unwinding = False
        ahead.look_before(at or sys._getframe(1))
        now = monotonic_ns()
        self.following.say_beside()
        page = self._rank.page
        looked_at = bad or page is None or not self._policy.free or page.memory[BELL]
        if looked_at or (ahead.any and ahead.may_stop(name, at)):
            ahead.ended = ""
            with self.handlers:
                return self._look_and_begin(name, optimizer, call, in_order, silent, predicted, returning, at, tell)
        self._stepper.over()
        update = (phases := self.phases).update
        turn = self.rounds.begins(name, optimizer, at or sys._getframe(1))
        phase = phases.pass_by(name, optimizer, now, call, in_order, silent, turn)
        if tell is not None:
            tell(phases.update)
        self._rank.say_where(phases, name, now)
        if phases.update != update and self.listeners.update is not None:
            self.listeners.update()
        if not call:
            ahead.phase_ended(name)
        if ahead.names_owner(name):
            phase.owner = owner_of(call_at(sys._getframe(1)))
        self._stepper.begins(phase)
        return phase

    def end(self, phase: Phase) -> None:
        """The call of that phase has returned."""
        log = self.free_run
        if phase is NOTED or phase is log.phase:
            if log.still is not None and not log.still():
                self._ahead.look_after(log.open or phase.name)
            name, log.open = log.open, None
            if log.phase is None:
                log.notes.append(monotonic_ns())
                if log.checks is not None and name is not None:
                    log.checks.ended(name)
                return
            phase, log.phase = log.phase, None
            if phase.name == "step":
                self.tracker.optimizers.note_step(log.key)
        if self._stepper.phase is phase:
            self._stepper.over()
        now = monotonic_ns()
        self._ahead.call_ended(phase)
        phases = self.phases
        phases.leave(phase, now)
        if (self._returns.watching or self._watch.watching) and self.listening():
            self._returns.note(phase)
        if phases.open is not None:
            return
        if self._policy.free and self.tracker.optimizers.regular and self._may_pass():
            self.rounds.forget()
            self._ahead.arm(log, phases, now)
            self.lines.check()
        elif not (self.driving or self.muted):
            self.listeners.call_ended(phase.name)

    def ended(self, phase: Phase) -> None:
        """`end`, where nothing that fails in it may reach the script."""
        try:
            self.end(phase)
        except Exception as error:
            self.gave_up(error)

    def as_made(self, phase: Phase) -> Phase:
        """The phase, whose call is open, as the phase tracker has it."""
        if phase is not NOTED:
            return phase
        if self.free_run.phase is None:
            self.free_run.replay()
        assert self.free_run.phase is not None
        return self.free_run.phase

    def broke(self, phase: Phase) -> None:
        """An exception has left that phase."""
        phase = self.as_made(phase)
        if phase is self.free_run.phase:
            self.free_run.open = self.free_run.phase = None
        if phase.ended_ns == 0:
            self.exceptions.left.note(phase)
        self._stepper.over(broken=True)
        self.end(phase)

    def passes(self, error: BaseException, frame: FrameType | None, phase: Phase | None) -> None:
        """An exception has left a hooked call, which was that phase or none, and comes to that frame next."""
        self.exceptions.passes(error, frame, phase)

    def close(self, phase: Phase) -> None:
        """The generator loop has ended, and with it its last phase."""
        self._stepper.over()
        self.phases.close_running(phase, monotonic_ns())

    def tell(self, text: str, severity: m.Severity = "information") -> None:
        """Tell the user something about the run; nothing before the session has been entered."""
        if self._rank.page is None:
            return
        try:
            self._rank.link.send(m.Notice(text, severity))
        except HubLost:
            self.disarm()

    def finish(self) -> None:
        """The script has come to its end: the last boundary."""
        self.lines.end()
        self.exceptions.let_go()
        self._end_of_script(Cause("exit", "the script has ended", []), stops=not self.exceptions.unwinding)

    def stop_inside(self, inner: Describes, frame: FrameType | None, breakpoint: str = "") -> None:
        """Stop at an inner boundary, after a unit of a phase or for a breakpoint."""
        self.inner_stops.inside(inner, frame, breakpoint)

    def _look_and_begin(
        self,
        name: str,
        optimizer: Hashable,
        call: bool,
        in_order: bool,
        silent: bool,
        predicted: bool,
        returning: bool,
        at: FrameType | None,
        tell: Callable[[int], object] | None,
    ) -> Phase:
        """`begin`, where somebody may want to stop."""
        phases = self.phases
        self.listeners.looked_at()
        self._stepper.over()
        turn = self.rounds.begins(name, optimizer, at or sys._getframe(2))
        done, opens = phases.advance(name, monotonic_ns(), optimizer, silent=silent, turn=turn)
        if tell is not None:
            tell(opens or phases.update)
        self.losses.settle(wait=not self._boundaries.may_be_late)
        silent = silent or phases.merged
        frame = frames.user_frame(at or sys._getframe(2))
        owner, arrived = None, monotonic_ns()
        try:
            if not predicted and at is None:
                owner = see_call(self.registry, name, sys._getframe(2), by_hand=phases.epoch is None)
            if devices.capturing():
                self._watch.pass_unseen()
            else:
                with self.following.turn:
                    self._boundaries.between(
                        name, done, opens, predicted, silent, owner, frame, frame if returning else None
                    )
        except HubLost:
            self.disarm()
        except Exception as error:
            self.gave_up(error)
        now, update = monotonic_ns(), phases.update
        phases.waited(now - arrived)  # what the user takes here is no time of the phases around
        phase = phases.depart(name, now, opens, call, in_order, optimizer)
        phase.owner = owner
        if not silent:
            self._returns.leaves()
        if phases.update != update and self.listeners.update is not None:
            self.listeners.update()
        if frame is not None:
            line = (frames.line_after(frame) if returning else None) or frame.f_lineno or 0
            phase.place = (frame.f_code.co_filename, line)
        self._rank.say_where(phases, name, now)
        self._stepper.begins(phase)
        return phase

    @without_handlers
    def _end_of_script(self, cause: Cause, *, stops: bool = True) -> None:
        if not (self._boundaries.ends(cause) and stops):
            return
        self.following.say_beside()
        try:
            self.losses.settle(wait=True)
            self._stepper.over()
            if self.free_run.notes:
                self.free_run.replay()
            self._ahead.look_before(next(iter(cause.stack), None))
            self._boundaries.at_end(cause)
        except HubLost:
            self.disarm()
        except Exception as error:
            self.gave_up(error)

    def _may_pass(self) -> bool:
        """Whether phases may go by unseen: each is a call, nobody is told of updates, no step is one by hand."""
        return not (self.muted or self.driving or self.listeners.update) and self.registry.has_optimizers

    # what fails, and the hub

    def gave_up(self, error: Exception) -> None:
        """A boundary could not be looked at, or made: that must never become the user's. Say so, once, and go on."""
        near_the_limit = isinstance(error, RecursionError)  # of the stack, where nothing can be said
        if not near_the_limit and raised(error):  # by a signal handler of the script's
            raise error
        if not (near_the_limit or self._faulty):
            self._faulty = True
            fault = f"{type(error).__name__}: {in_words(error)} ({frames.place_of(error)})"
            self.tell(f"a boundary could not be looked at and is left out. Please report: {fault}", "warning")

    def disarm(self) -> None:
        """The hub is gone, or this process is none of the session's: never stop or report again."""
        self.muted = True
        self.free_run.disarm()
        api.tracer = None
        self._stop_server.let_go()
        self.lines.let_go()
        self.exceptions.let_go()
        self._rank.leave()
