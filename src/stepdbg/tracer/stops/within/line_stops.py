"""Breakpoints on lines: when one of them is waited for, and whether training stops there.

A line is reached in the user's own frame, wherever training is just then; all that is done here is caught if it fails.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import TYPE_CHECKING, Protocol

import msgspec

from stepdbg.protocol import messages as m
from stepdbg.protocol.messages import Breakpoint
from stepdbg.protocol.runtime_folder import LINES_FILE
from stepdbg.tracer.breakpoints.arrival import AtLine
from stepdbg.tracer.breakpoints.check import never_met
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.introspect.unobserved import uncollected
from stepdbg.tracer.lines.watch import line_watch
from stepdbg.tracer.session.connection import HubLost
from stepdbg.tracer.session.rank import Rank, being_prepared
from stepdbg.tracer.stops.within.inner_stops import InnerStops, Stopping
from stepdbg.tracer.tensors import devices

_COMPILED = "its lines do not run one by one: torch.compile has compiled"

if TYPE_CHECKING:
    from stepdbg.tracer.session.losses import Losses
    from stepdbg.tracer.stops.boundaries import Boundaries


class Reaching(Stopping, Protocol):
    """The tracer, as far as a line that is reached needs it."""

    losses: Losses
    """The losses, of which one may still be on its way from a device."""

    def listening(self) -> bool:
        """Whether a call in this thread can make boundaries."""

    def tell(self, text: str, severity: m.Severity = "information") -> None:
        """Tell the user something about the run."""


class LineStops:
    """The breakpoints on lines of this process."""

    def __init__(
        self, tracer: Reaching, rank: Rank, points: Breakpoints, boundaries: Boundaries, stops: InnerStops
    ) -> None:
        self._tracer, self._rank, self._points = tracer, rank, points
        self._boundaries, self._stops = boundaries, stops
        self._watch = line_watch(points.lines.lines_in, self._reached, self._is_compiled, tracer.gave_up)
        points.lines.changed = self._changed
        self._told = ""
        """Why lines cannot be waited for, as the user was told last."""
        self._over = False
        """Whether the script has come to its end."""
        self._checked: set[int] = set()
        """The numbers of the breakpoints whose line was looked for."""

    def begin(self, folder: Path) -> None:
        """Wait for lines before the session is entered, which it is at the first boundary: of those that the hub has
        left word of in the session's folder.
        """
        try:
            data = (folder / LINES_FILE).read_bytes()
        except OSError:  # there are none
            return
        points = msgspec.json.decode(data, type=tuple[Breakpoint, ...])
        self._points.hold(point for point in points if point.rank is None)

    def entered(self) -> None:
        """The session was entered, in the thread that trains: what is wrong with a breakpoint can be told."""
        self._checked.clear()
        self._changed()

    def check(self) -> None:
        """See that lines are still waited for, and in one file each."""
        lines = self._points.lines
        if lines.any and lines.take_ambiguity():
            self._checked.clear()
            self._changed()
            lines.take_ambiguity()
        elif lines.any:
            self._tell(self._watch.check())

    def let_go(self) -> None:
        """Wait for no line any more, until other breakpoints hold."""
        self._points.lines.forget()
        self._watch.let_go()

    def end(self) -> None:
        """The script has come to its end: tell of the breakpoints whose file was never loaded, or that nothing could
        have met.
        """
        self._over = True
        self._watch.let_go()
        if self._rank.page is None:
            return
        try:
            for number, why in self._never_met():
                self._tracer.tell(f"breakpoint {number} was never met: {why}", "warning")
        except Exception as error:
            self._tracer.gave_up(error)

    def _never_met(self) -> Iterator[tuple[int, str]]:
        for point in self._points.lines.all:
            if not self._points.lines.is_loaded(point):
                yield point.number, f"the script did not load {point.file}{self._points.lines.nearest(point)}"
        yield from never_met(self._points, self._tracer.phases.epoch)

    def _changed(self) -> None:
        """Other lines are waited for, or another thread waits for them."""
        if not self._points.lines.any or self._over:
            self._watch.let_go()
            return
        self._tell(self._watch.watch())
        self._look_for_lines()

    def _tell(self, problem: str) -> None:
        """Tell the user why lines cannot be waited for, once."""
        if self._rank.page is not None and problem != self._told:
            self._told = problem
            if problem:
                self._tracer.tell(f"breakpoints on lines are not met: {problem}", "warning")

    def _look_for_lines(self) -> None:
        """Tell of each breakpoint whose line has no code."""
        if self._rank.page is None:
            return
        lines = self._points.lines
        for point in lines.all:
            if point.number not in self._checked:
                self._checked.add(point.number)
                with uncollected():
                    problem = lines.problem(point)
                if problem:
                    self._points.listener.failed(point.number, problem, off=False)

    def _reached(self, frame: FrameType, line: int) -> None:
        """A line that is waited for is about to run in that frame."""
        tracer = self._tracer
        if tracer.handlers.held or not tracer.listening() or devices.capturing():
            return
        points = self._points.lines.at(frame.f_code.co_filename, line)
        if not points:
            return
        try:
            if self._rank.page is None:
                if being_prepared():
                    return
                self._boundaries.enter_at_line()
                points = self._points.lines.at(frame.f_code.co_filename, line)
            with nullcontext() if self._points.is_simple(points) else tracer.handlers:
                why = self._points.met_within(points, AtLine(frame, partial(self._where, frame)))
        except HubLost:
            tracer.disarm()
            return
        except Exception as error:
            tracer.gave_up(error)
            return
        if why:
            self._stops.at_line(why, frame, f"{os.path.basename(frame.f_code.co_filename)}:{line}")

    def _where(self, frame: FrameType) -> m.Boundary:
        """Where training is among the phases, with the newest loss."""
        self._tracer.losses.settle(wait=True)
        return self._boundaries.here(frame)

    def _is_compiled(self, code: CodeType) -> bool:
        """Whether `torch.compile` has made that code object of one of the user's: then it is told which breakpoints are
        not met there.
        """
        made = getattr(sys.modules.get("torch._dynamo.convert_frame"), "output_codes", None)
        if made is None or code not in made:
            return False
        try:
            if self._rank.page is not None and self._tracer.listening():
                for point in self._points.lines.all:
                    if self._points.lines.is_within(point, code):
                        self._points.listener.failed(point.number, f"{_COMPILED} {code.co_qualname}", off=False)
        except Exception as error:
            self._tracer.gave_up(error)
        return True
