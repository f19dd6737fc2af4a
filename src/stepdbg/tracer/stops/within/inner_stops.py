"""Stops that lie within a phase, or between two of them at a line: the time that the user takes there is none of it."""

from __future__ import annotations

from time import monotonic_ns
from types import FrameType
from typing import TYPE_CHECKING, Protocol

from stepdbg.protocol import messages as m
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.connection import HubLost
from stepdbg.tracer.session.signal_handlers import Handlers, without_handlers
from stepdbg.tracer.sources.free_run import FreeRunLog
from stepdbg.tracer.stepping.orders import Describes
from stepdbg.tracer.stops.cause import Cause

if TYPE_CHECKING:
    from stepdbg.tracer.stepping.stepper import Stepper
    from stepdbg.tracer.stops.boundaries import Boundaries
    from stepdbg.tracer.stops.decide import StopPolicy


class Stopping(Protocol):
    """The tracer, as far as a stop within a phase needs it."""

    free_run: FreeRunLog
    """The phases of a free run that are only noted."""
    handlers: Handlers
    """A context in which no signal handler of the script's runs."""

    @property
    def phases(self) -> PhaseTracker:
        """The phase tracker, up to now."""

    def disarm(self) -> None:
        """Never stop or report again."""

    def gave_up(self, error: Exception) -> None:
        """Something of ours has failed."""


class InnerStops:
    """Stops training where it is."""

    def __init__(self, tracer: Stopping, boundaries: Boundaries, stepper: Stepper, policy: StopPolicy) -> None:
        self._tracer, self._boundaries, self._stepper, self._policy = tracer, boundaries, stepper, policy
        self.handlers = tracer.handlers

    def at_line(self, detail: str, frame: FrameType | None, name: str = "") -> None:
        """Stop at a line of the script's, wherever that is.

        Args:
            detail: What has asked for it.
            frame: The user's frame.
            name: The line, `train.py:48`; empty where the line itself asks for it (`stepdbg.breakpoint()`).
        """
        current = self._tracer.phases.current
        line = m.Inner("line", name, phase=current.name if current is not None else "")
        self._stop(Cause("breakpoint", detail, frames.stack(frame), inner=lambda _: line), frame)
        current = self._tracer.phases.current
        if self._stepper.phase is None and current is not None:
            self._stepper.begins(current)

    def inside(self, inner: Describes, frame: FrameType | None, breakpoint: str = "") -> None:
        """Stop at an inner boundary, after a unit of a phase or for a breakpoint.

        Args:
            inner: Describes the unit.
            frame: The innermost frame of the training thread.
            breakpoint: The breakpoint that is met, in words; empty where the user steps.
        """
        cause = Cause("breakpoint" if breakpoint else "step", breakpoint, frames.stack(frame), inner=inner)
        self._stop(cause, frames.user_frame(frame))

    @without_handlers
    def _stop(self, cause: Cause, frame: FrameType | None) -> None:
        tracer = self._tracer
        phases = tracer.phases
        tracer.free_run.disarm()
        phases.index += 1
        began = monotonic_ns()
        try:
            self._boundaries.inside(cause, frame)
        except HubLost:
            tracer.disarm()
        except Exception as error:
            tracer.gave_up(error)
        phases.waited(monotonic_ns() - began)
        if self._stepper.phase is not None:  # it is taken out at the end of the phase, which must not go by unnoticed
            self._policy.look()
