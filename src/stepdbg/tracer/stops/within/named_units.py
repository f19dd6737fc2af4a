"""Breakpoints within a phase, as those ask for them who hook its inside (`stepping`)."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from types import FrameType
from typing import Protocol

from stepdbg.protocol.messages import Boundary
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.breakpoints.inner import LEARNED, Named
from stepdbg.tracer.introspect.stack import user_frame
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.losses import Losses
from stepdbg.tracer.session.signal_handlers import Handlers
from stepdbg.tracer.stepping.host import NamedUnit


class Within(Protocol):
    """The tracer, as far as a breakpoint within a phase needs it."""

    losses: Losses
    """The losses, of which one may still be on its way from a device."""
    handlers: Handlers
    """A context in which no signal handler of the script's runs."""

    @property
    def phases(self) -> PhaseTracker:
        """Where training is."""

    def gave_up(self, error: Exception) -> None:
        """A boundary could not be looked at."""


class BreakpointUnits:
    """The units within phases that breakpoints name.

    Args:
        tracer: Knows where training is.
        points: The breakpoints of this process.
    """

    def __init__(self, tracer: Within, points: Breakpoints) -> None:
        self._tracer, self._points = tracer, points

    def any_in(self, phase: str) -> bool:
        """Whether a phase of that name may hold any."""
        return phase in self._points.inner.phases

    def modules(self, phase: str) -> Mapping[int, Named]:
        """The modules named, in that phase, by `id`."""
        found = self._points.inner.modules(phase, user_frame(sys._getframe(1)))
        self._tell_unknown(phase, found)
        return found

    def parameters(self) -> Mapping[int, Named]:
        """The parameters whose gradients are named, by `id`."""
        found = self._points.inner.parameters(user_frame(sys._getframe(1)))
        self._tell_unknown("gradient", found)
        return found

    def _tell_unknown(self, phase: str, found: Mapping[int, Named]) -> None:
        """Tell the user, once, of breakpoints that name nothing that there is, after the first updates."""
        if self._tracer.phases.update >= LEARNED:
            named = {point.number for one in found.values() for point in one.points}
            for point in self._points.inner.of(phase):
                unknown = "" if point.number in named else self._points.inner.unknown(point)
                self._points.tell_unknown(point.number, unknown)

    def met(self, unit: NamedUnit, phase: Phase, frame: FrameType | None, *, ahead: bool) -> str:
        """Why training stops before (`ahead`) or after that unit, in words; empty where it does not.

        Args:
            unit: The module or the parameter.
            phase: The phase that it is part of.
            frame: The innermost frame of the training thread.
            ahead: The unit is about to be done.
        """
        when = "before" if ahead else "after"
        here = [point for point in unit.points if point.when == when]
        if not here:
            return ""
        tracer, points, reason = self._tracer, self._points, ""
        calm = points.is_simple(here) and not any(point.log for point in here)
        with nullcontext() if calm else tracer.handlers:
            try:
                if points.reads_loss:
                    tracer.losses.settle(wait=True)
                phases = tracer.phases
                boundary = Boundary(
                    phases.index,
                    phases.update,
                    inside=(*phase.inside, phase.name),
                    epoch=phases.epoch,
                    loss=phases.loss,
                    rank=points.rank,
                )
                at = Arrival(boundary, False, True, user_frame(frame))
                reason = points.met_within(here, at)
            except Exception as error:
                tracer.gave_up(error)
        return reason
