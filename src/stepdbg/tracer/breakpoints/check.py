"""A breakpoint that is being written, held against what is alive: what it matches, and what its condition is now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from torch import nn

from stepdbg.errors import SliceError, UsageError
from stepdbg.listing.nearest import did_you_mean
from stepdbg.listing.source_lines import lines_of
from stepdbg.protocol.breakpoint_text import behind, describe, is_gradient, parse
from stepdbg.protocol.messages import Breakpoint, BreakpointChecked, CheckBreakpoint, Result
from stepdbg.protocol.phases import PHASES
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.breakpoints.inner import LEARNED, OF_MODULES, not_met
from stepdbg.tracer.breakpoints.owners import OF_LOSSES, fits
from stepdbg.tracer.handler import AtStop, Handler
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.introspect.unobserved import uncollected
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.refused import Refused
from stepdbg.tracer.tensors.readable import Unreadable
from stepdbg.tracer.watchpoints.names import ABSENT
from stepdbg.tracer.watchpoints.readings import now

OF_OPTIMIZERS = frozenset(("zero_grad", "step"))
"""Phases that are a call of an optimizer's."""
_FEW = 6
"""So many names that are matched are told."""


class BreakpointChecks(Handler):
    """Answers what a breakpoint would match.

    Args:
        points: Evaluate a condition as they would, and know the names of what is alive.
        tracker: The phases that have been met.
    """

    answers = (CheckBreakpoint,)

    def __init__(self, points: Breakpoints, tracker: PhaseTracker) -> None:
        self._points, self._tracker = points, tracker
        self._at: AtStop | None = None

    def open(self, at: AtStop) -> None:
        """Training has stopped."""
        self._at = at

    def close(self) -> None:
        """Training goes on."""
        self._at = None

    def answer(self, query: CheckBreakpoint) -> Result:
        """What that breakpoint would match here.

        Raises:
            Refused: the text is no breakpoint.
        """
        try:
            point = parse(query.text)
        except UsageError as error:
            raise Refused(str(error)) from error
        assert self._at is not None
        if point.line is not None:
            return self._line(point, self._at)
        if point.watch is not None:
            return self._watch_checked(point)
        names = sorted(name for name in self._names(point) if fits(name, point.of)) if point.of else []
        value, problem = "", ""
        if point.condition or point.log:
            value, problem = self._points.try_out(point, self._arrival(self._at))
        return BreakpointChecked(
            describe(point), tuple(names[:_FEW]), max(0, len(names) - _FEW), self._unknown(point, names), value, problem
        )

    def _line(self, point: Breakpoint, at: AtStop) -> BreakpointChecked:
        """Where that line is, and what the condition is here, if training stands in its function."""
        lines = self._points.lines
        with uncollected():
            function, problem = lines.function(point), lines.problem(point)
        value = ""
        frame = frames.user_frame(next(iter(at.stack), None))
        here = frame is not None and point.line in lines_of(frame.f_code).lines and lines.names(point, frame)
        if here and (point.condition or point.log) and not problem:
            value, problem = self._points.try_out(point, self._arrival(at))
        return BreakpointChecked(
            describe(point), (function,) if function else (), 0, lines.unknown(point), value, problem
        )

    def unmet(self, points: Iterable[Breakpoint]) -> tuple[int, ...]:
        """The numbers of those that name what has not been met yet: a phase in the updates so far, an owner, a file."""
        return tuple(point.number for point in points if point.enabled and self._is_unmet(point))

    def _watch_checked(self, point: Breakpoint) -> BreakpointChecked:
        """What a watchpoint would watch, and how that is now."""
        assert self._at is not None
        assert point.watch is not None
        arrival = self._arrival(self._at)
        watchpoint = self._points.watchpoints.anew(point)
        watchpoint.find(arrival.frame, arrival.boundary.update)
        names, value, problem = sorted(watchpoint.names), "", ""
        try:
            if len(names) == 1:
                _, place, index = watchpoint.values[0]
                found = place.value(arrival.frame)
                value = "" if found is ABSENT else now(found, index)
        except (Unreadable, SliceError) as error:
            problem = str(error)
        if point.condition or point.log:
            value, problem = self._points.try_out(point, arrival)
        unknown = ""
        if not names:
            wanted = point.watch.name
            unknown = not_met(wanted, self._points.watchpoints.all_names())
        shown = names if len(names) > 1 else ()
        return BreakpointChecked(
            describe(point), tuple(shown[:_FEW]), max(0, len(shown) - _FEW), unknown, value, problem
        )

    def _is_unmet(self, point: Breakpoint) -> bool:
        if point.line is not None:
            return not self._points.lines.is_loaded(point)
        if self._tracker.update < LEARNED:
            return False
        if point.watch is not None:
            watchpoint = self._points.watchpoints.of(point.number)
            return watchpoint is not None and not watchpoint.names
        if point.phase is None:
            return False
        if not is_gradient(point.phase, point.of):
            seen = {phase.name for phase in chain(self._tracker.before, self._tracker.done)}
            if point.phase not in seen:
                return True
        return bool(point.of) and not any(fits(name, point.of) for name in self._names(point))

    def _arrival(self, at: AtStop) -> Arrival:
        frame = frames.user_frame(next(iter(at.stack), None))
        return Arrival(at.boundary, False, True, frame, next_epoch=self._tracker.epoch)

    def _names(self, point: Breakpoint) -> Iterator[str]:
        """All that the name of that breakpoint may fit."""
        if point.phase in OF_LOSSES:
            phases = chain(self._tracker.before, self._tracker.done)
            yield from {phase.loss for phase in phases if phase.loss}
            return
        if is_gradient(point.phase, point.of):
            yield from self._points.inner.names(point)
            return
        models = point.phase in OF_MODULES
        for name, held in self._points.owners.everything():
            if isinstance(held, nn.Module) == models:
                yield name
        if models:
            yield from self._points.inner.names(point)

    def _unknown(self, point: Breakpoint, names: list[str]) -> str:
        assert self._at is not None
        boundary = self._at.boundary
        if why := behind(point, boundary.opens or boundary.update, self._tracker.epoch):
            return why
        if point.phase is not None and not is_gradient(point.phase, point.of):
            known = [*PHASES, *(phase.name for phase in chain(self._tracker.before, self._tracker.done))]
            if point.phase not in known:
                return f"no phase is called {point.phase} yet{did_you_mean(point.phase, known)}"
        if point.of and not names:
            return not_met(point.of, self._names(point))
        return ""


def never_met(points: Breakpoints, epoch: int | None) -> Iterator[tuple[int, str]]:
    """The breakpoints that nothing in the whole run could have met, by number, each with the reason.

    Args:
        points: The breakpoints, with the names of what is alive at the end. Of models it is told before, as soon as
            theirs are known.
        epoch: The epoch that the run has ended in; None where none was counted.
    """
    optimizers = [name for name, held in points.owners.everything() if not isinstance(held, nn.Module)]
    models = [name for name, _ in points.owners.models()]
    for point in points.all:
        if not point.enabled:
            continue
        if point.epoch is not None and epoch is None:
            yield point.number, "no epoch was counted, since training was not seen to read a DataLoader"
            continue
        named = bool(point.of) and point.phase in OF_OPTIMIZERS and bool(optimizers)
        if named and not any(fits(name, point.of) for name in optimizers):
            yield point.number, f"no optimizer is called {point.of}{did_you_mean(point.of, optimizers)}"
        losses = sorted(points.owners.losses) if point.phase in OF_LOSSES and point.of else []
        if losses and not any(fits(name, point.of) for name in losses):
            what = f"no loss is called {point.of}"
            if point.of in optimizers:
                what = f"{point.of} is an optimizer, and a {point.phase} is of a loss"
            elif point.of in models:
                what = f"{point.of} is a model, and a {point.phase} is of a loss"
            yield point.number, f"{what}{did_you_mean(point.of, losses) or f' (there was {losses[0]})'}"
