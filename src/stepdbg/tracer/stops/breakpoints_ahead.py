"""Breakpoints and watches in a free run: which phases must not be only noted, and at which boundary one may be met.

What can be told without a look at the boundary is told here, so that waiting for a breakpoint costs next to nothing: a
phase that no breakpoint is at goes by as ever, a condition that does not hold ends the matter, and an update that is
waited for limits how many phases may be noted before somebody looks.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from types import FrameType
from typing import Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.breakpoints.inner import OF_MODULES, not_met
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.wrapper_calls import call_at
from stepdbg.tracer.nonfinite.checks import Checks
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.losses import Losses
from stepdbg.tracer.session.rank import Rank
from stepdbg.tracer.session.signal_handlers import Handlers
from stepdbg.tracer.sources.free_run import FreeRunLog
from stepdbg.tracer.stops.callers import owner_of
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.watches.pace import was_last_step
from stepdbg.tracer.watches.parameters import ParameterHistory
from stepdbg.tracer.watches.watches import Watches


class FreeRunning(Protocol):
    """The tracer, as far as it is asked before a boundary is looked at."""

    losses: Losses
    """The losses, of which one may still be on its way from a device."""
    checks: Checks
    """What is looked at for the first bad value, at every boundary."""
    handlers: Handlers
    """A context in which no signal handler of the script's runs."""

    @property
    def phases(self) -> PhaseTracker:
        """Where training is."""

    def gave_up(self, error: Exception) -> None:
        """A boundary could not be looked at."""


class BreakpointsAhead:
    """The breakpoints and watches of this process, as the free run asks for them."""

    def __init__(
        self, tracer: FreeRunning, points: Breakpoints, watches: Watches, history: ParameterHistory, rank: Rank
    ) -> None:
        self._tracer, self._points, self._watches, self._rank = tracer, points, watches, rank
        self._history = history
        self.ended = ""
        """A phase that has ended, after which a breakpoint may be met as the next one begins, or which is a step after
        which watches or parameters are to be sampled; empty for none."""
        self._awaits_step = False
        """Whether a step is near that ends an update which is to be sampled."""

    @property
    def any(self) -> bool:
        """Whether any breakpoint or watch is switched on, or parameters are to be sampled."""
        return self._points.any or self._watches.any or self._awaits_step or self._history.due

    def forbids_noting(self, name: str) -> bool:
        """Whether a phase that begins must not be only noted."""
        watchpoints = self._points.watchpoints
        awaited = name in self._points.watched or (name == "step" and self._awaits_step)
        awaited = awaited or self._points.late.awaited
        return bool(self.ended) or (watchpoints.any and not watchpoints.quick) or awaited

    def names_owner(self, name: str) -> bool:
        """Whether it matters in that phase, or after it, whose it is."""
        return name in self._points.places.owned or name in self._points.inner.phases

    def phase_ended(self, name: str) -> None:
        """A phase has ended, or begun as one that ends where the next begins."""
        due = name == "step" and (self._watches.due or self._history.due)
        if due or name in self._points.places.followed:
            self.ended = name

    def may_stop(self, name: str, at: FrameType | None) -> bool:
        """Whether a breakpoint may be met as that phase begins, with nothing else to stop for; if not, that is certain.

        Args:
            name: The phase; it is not part of the order yet.
            at: The user's frame, where it is not on the stack.
        """
        ended, self.ended = self.ended, ""
        tracer, points = self._tracer, self._points
        if devices.capturing():  # what asks a device for anything would end that
            return False
        phases = tracer.phases
        if "step" in (name, ended) and (self._watches.due or self._history.due):
            self._sample(name, ended, phases, at or sys._getframe(2))
        if not points.any:
            return False
        if points.watchpoints.any and points.watchpoints.may_stop(phases.update):
            return True
        if points.late.awaited and points.late.arrive(phases.update):
            return True
        with nullcontext() if points.is_simple_at(name, ended) else tracer.handlers:
            try:
                if points.reads_loss:
                    tracer.losses.settle(wait=not points.late.applies)
                index, rank = phases.index + 1, self._rank.number
                boundary = m.Boundary(index, phases.update, epoch=phases.epoch, loss=phases.loss, rank=rank)
                frame = frames.user_frame(at or sys._getframe(2))
                coming = owner_of(call_at(sys._getframe(2))) if name in OF_MODULES and points.inner.any else None
                done = phases.last.owner if phases.last is not None else None
                return points.may_be_met(name, ended, Arrival(boundary, False, True, frame, coming, done))
            except Exception as error:
                tracer.gave_up(error)
                return True

    def _sample(self, name: str, ended: str, phases: PhaseTracker, at: FrameType) -> None:
        """Take a sample of watches and parameters, if the step that has ended is the last one of its update, or copies,
        if one begins.
        """
        tracer, watches, history = self._tracer, self._watches, self._history
        with nullcontext() if watches.are_simple else tracer.handlers:
            try:
                if ended == "step" and watches.due:
                    if watches.reads_loss:
                        tracer.losses.settle(wait=True)
                    boundary = m.Boundary(
                        phases.index + 1, phases.update, epoch=phases.epoch, loss=phases.loss, rank=self._rank.number
                    )
                    watches.sample(Arrival(boundary, False, True, frames.user_frame(at)), free=True)
                if ended == "step" and history.due and was_last_step(phases):
                    history.update_done()
                if name == "step" and history.due:
                    history.before_step()
            except Exception as error:
                tracer.gave_up(error)

    def look_before(self, frame: FrameType | None) -> None:
        """A phase begins, or the script ends: see what has become of the values watched since the last phase.

        Args:
            frame: The innermost frame of the training thread.
        """
        if self._points.watchpoints.any:
            self._look(frames.user_frame(frame), partial(_since, self._tracer.phases))

    def call_ended(self, phase: Phase) -> None:
        """The call of that phase has returned: see what it has made, and what has become of the values watched."""
        self.phase_ended(phase.name)
        if self._tracer.checks.on:
            self._tracer.checks.ended(phase.name, skipped=phase.skipped)
        self.look_after(phase.name)

    def look_after(self, name: str) -> None:
        """A phase of that name has ended: see what has become of the values watched."""
        if self._points.watchpoints.any:
            frame = frames.user_frame(sys._getframe(1))
            self._look(frame, lambda _: f"in {name}{_line(frame)}")

    def _look(self, frame: FrameType | None, where: Callable[[FrameType | None], str]) -> None:
        try:
            watchpoints = self._points.watchpoints
            watchpoints.look(frame, self._tracer.phases.update, partial(where, frame))
            while watchpoints.news:
                number, known = watchpoints.news.pop()
                name = "" if known else watchpoints.name_of(number)
                self._points.tell_unknown(number, not_met(name, watchpoints.all_names()) if name else "")
        except Exception as error:
            self._tracer.gave_up(error)

    def arm(self, log: FreeRunLog, phases: PhaseTracker, now_ns: int) -> None:
        """From now on phases are noted, but for those that breakpoints are at."""
        watchpoints = self._points.watchpoints
        log.still = watchpoints.quickly() if watchpoints.any else None
        if self.ended or (watchpoints.any and log.still is None) or self._points.late.awaited:
            log.disarm()
            return
        log.checks = self._tracer.checks if self._tracer.checks.on else None
        log.loss_holds, log.norm_holds = self._points.loss_holds, self._points.norm_holds
        watched, most = self._points.unnoted(phases.update), self._points.phases_ahead(phases.update)
        self._awaits_step = False
        for pace in (self._history.pace, *((self._watches.pace,) if self._watches.any else ())):
            ahead = pace.phases_ahead(phases)
            if ahead is None:
                self._awaits_step, watched = True, watched | {"step"}
            else:
                most = ahead if most is None else min(most, ahead)
        log.arm(now_ns, watched, most)


def _since(phases: PhaseTracker, frame: FrameType | None) -> str:
    """What has been done since the last phase, where the next one is about to begin."""
    before = f", before{_line(frame, ' {}')}" if frame is not None else ""
    if phases.running is not None:
        return f"in {phases.running.name}{before}"
    within = f" within {phases.open.name}" if phases.open is not None else ""
    if phases.last is not None:
        return f"after {phases.last.name}{within}{before}"
    return f"{within.lstrip() or 'ahead of all phases'}{before}"


def _line(frame: FrameType | None, form: str = " ({})") -> str:
    """` (train.py:48)`: the line that a frame of the user's is at; empty where there is none."""
    if frame is None:
        return ""
    return form.format(f"{os.path.basename(frame.f_code.co_filename)}:{frame.f_lineno}")
