"""What the public names of `stepdbg` do inside a session: `stepdbg.api` calls these."""

from __future__ import annotations

import sys
from typing import Any

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.session.reported_values import Watches
from stepdbg.tracer.sources.generator import drive
from stepdbg.tracer.stops.tracer import Tracer
from stepdbg.tracer.tensors import devices


class ScriptApi:
    """The tracer, as a script speaks to it."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer
        self._watches = Watches(tracer.losses)
        self._marked: list[Phase | None] = []
        """The phases of `with stepdbg.phase` that are open."""

    @property
    def muted(self) -> bool:
        """Whether nothing is to be made into boundaries."""
        return self._tracer.muted

    @muted.setter
    def muted(self, value: bool) -> None:
        self._tracer.muted = value

    def drive(self, generator: Any) -> Any:
        """Run a generator loop with a boundary at each yield."""
        return drive(self._tracer, generator)

    def enter_phase(self, name: str) -> None:
        """`with stepdbg.phase(name):` begins."""
        tracer = self._tracer
        if tracer.listening():
            self._marked.append(None if tracer.driving else tracer.begin(name))

    def leave_phase(self) -> None:
        """`with stepdbg.phase(name):` ends."""
        if self._marked and (phase := self._marked.pop()) is not None:
            self._tracer.end(phase)

    def stop_here(self) -> None:
        """`stepdbg.breakpoint()`: an inner boundary, at which training stops."""
        if self._tracer.listening() and not devices.capturing():
            self._tracer.inner_stops.at_line("stepdbg.breakpoint()", frames.user_frame(sys._getframe(1)))

    def watch(self, name: str, value: object) -> None:
        """`stepdbg.watch(name, value)`: a number, or a tensor of one, for the chart."""
        tracer = self._tracer
        if not tracer.listening():
            return
        try:
            if (problem := self._watches.take(name, value, tracer.phases.update)) is not None:
                tracer.tell(problem, "warning")
        except Exception as error:
            tracer.gave_up(error)
