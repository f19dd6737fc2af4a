"""A boundary that somebody may look at: between two phases, inside one, or at the script's end.

There the session is entered, the hub's messages are read, and it is decided whether training stops; a traced run tells
of it. Which boundaries there are is the tracer's (`tracer`), what is shown at a stop is the stop server's (`stop`).
"""

from __future__ import annotations

import multiprocessing.process
import multiprocessing.util
from dataclasses import replace
from time import monotonic_ns
from types import FrameType
from typing import TYPE_CHECKING, Protocol

import msgspec

from stepdbg.protocol import messages as m
from stepdbg.tracer.breakpoints.arrival import Arrival
from stepdbg.tracer.breakpoints.holding import Breakpoints
from stepdbg.tracer.effects.returns import Returns
from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.phases.phase import Phase
from stepdbg.tracer.phases.tracker import PhaseTracker
from stepdbg.tracer.session.connection import HubLost
from stepdbg.tracer.session.rank import Rank, being_prepared
from stepdbg.tracer.stops.callers import PhaseOwner
from stepdbg.tracer.stops.cause import STEPPING, Cause
from stepdbg.tracer.stops.decide import StopPolicy
from stepdbg.tracer.stops.location import placed, stack_around
from stepdbg.tracer.stops.stop import StopServer
from stepdbg.tracer.stops.tracing import Trace
from stepdbg.tracer.stops.watch import PhaseWatch
from stepdbg.tracer.watches.pace import was_last_step

if TYPE_CHECKING:
    from stepdbg.tracer.session.losses import Losses
    from stepdbg.tracer.stops.following import Following


class Entering(Protocol):
    """What is told when the session is entered, and when it ends."""

    def entered(self) -> None:
        """The session was entered."""

    def let_go(self) -> None:
        """The last boundary has come."""


class Looking(Protocol):
    """The tracer, as far as a boundary that is looked at needs it."""

    muted: bool
    """True when nothing is to be made into boundaries any more."""
    losses: Losses
    """The losses, for the chart."""
    following: Following
    """Which thread of which process is debugged."""

    lines: Entering
    """The breakpoints on lines."""
    exceptions: Entering
    """The exceptions in the user's own lines."""

    @property
    def phases(self) -> PhaseTracker:
        """The phase tracker, up to now."""

    def finish(self) -> None:
        """The script has come to its end."""

    def gave_up(self, error: Exception) -> None:
        """A boundary could not be looked at."""


class Boundaries:
    """Decides at each boundary that is looked at, and tells a trace of it."""

    def __init__(
        self,
        tracer: Looking,
        rank: Rank,
        policy: StopPolicy,
        server: StopServer,
        watch: PhaseWatch,
        returns: Returns,
        points: Breakpoints,
    ) -> None:
        self._tracer, self._rank, self._policy, self._server = tracer, rank, policy, server
        self._watch, self._watches, self._history = watch, server.watches, server.history
        self._returns, self._points = returns, points
        self._phases = returns.phases
        self._trace: Trace | None = None
        self._last_index = 0
        """The index of the boundary at which training stopped last."""
        self._ended = False
        """Whether the last boundary has come."""

    def begin_anew(self) -> None:
        """Nothing has happened yet in this process, which is a forked child."""
        self._server.let_go()
        self._watch.rules.begin_anew()
        self._watches.begin_anew()
        self._history.begin_anew()
        self._policy.stopped()
        self._policy.look()
        self._points.late.forget()
        self._trace, self._last_index, self._ended = None, 0, False

    @property
    def may_be_late(self) -> bool:
        """Whether a boundary may be looked at without waiting for what a device has of the losses."""
        late = self._points.late.applies and self._rank.page is not None
        return late and not (self._watches.any and self._watches.reads_loss)

    def between(
        self,
        name: str,
        done: Phase | None,
        opens: int | None,
        predicted: bool,
        silent: bool,
        owner: PhaseOwner,
        frame: FrameType | None,
        returning: FrameType | None,
    ) -> None:
        """Whether to stop between two phases, and at the end of the phase that begins.

        Args:
            name: The phase that begins, or where that is `predicted` the guess without an update before.
            done: The phase done.
            opens: The update that opens here.
            predicted: What comes next is foretold from the update before.
            silent: Nothing lies between this boundary and the one before: they are one.
            owner: The model or optimizer whose phase begins.
            frame: The user's frame.
            returning: The user's frame, where a model's output is just being returned to it.

        Raises:
            HubLost: nobody is there any more.
        """
        watch, policy, phases = self._watch, self._policy, self._phases
        if self._rank.page is None:
            if being_prepared() or self._tracer.following.stays_silent(name, owner):
                return
            self._join()
        elif self._rank.page.bell():
            self._read_messages()
        following = (done and phases.before and phases.foretell(done.name)) or name if predicted else name
        boundary = phases.boundary(following, done, opens, monotonic_ns(), predicted=predicted)
        if silent and (self._returns.watching or watch.watching):
            self._returns.begins_late()
            if name == "backward":
                (self._trace or watch).backward_comes(placed(boundary, frame), stack_around(frame))
        elif self._trace is not None and not silent:
            self._trace_boundary(self._trace, placed(boundary, frame), stack_around(frame), returning)
        arrival = Arrival(
            msgspec.structs.replace(boundary, rank=self._rank.number),
            silent,
            following == name,
            frame,
            owner,
            *_of(done),
            next_epoch=phases.epoch,
        )
        self._sample(arrival, done)
        again = silent and self._last_index == phases.index
        why = policy.why_again(arrival) if again else policy.why(arrival)
        if why is not None:
            self._last_index = phases.index
            policy.stopped()
            self._tracer.losses.settle(wait=True)
            boundary = msgspec.structs.replace(boundary, loss=phases.loss)
            self._rank.say_where(phases, following, monotonic_ns())
            boundary = msgspec.structs.replace(placed(boundary, frame), rank=self._rank.number)
            self._server.wait(boundary, Cause(*why, stack_around(frame), returning=returning, coming=owner))
        elif policy.findings.wanted or (policy.until == "finish" and watch.watching):
            if not silent:
                self._pass_by(boundary, done, frame, returning, owner)
        elif policy.until not in STEPPING:
            watch.stop_watching()
        if name == "step" and not silent and self._trace is None and self._history.wanted(free=policy.free):
            self._history.before_step()
        if not watch.watching and policy.is_due(boundary):
            watch.foresee(boundary.next, stack_around(frame), returning)
        if self._points.watchpoints.any:
            self._points.watchpoints.keep(frame, opens - 1 if opens is not None else phases.update)

    def _pass_by(
        self,
        boundary: m.Boundary,
        done: Phase | None,
        frame: FrameType | None,
        returning: FrameType | None,
        owner: PhaseOwner,
    ) -> None:
        """Look at a boundary at which training is to go on, unless it is to stop for what a rule finds there.

        Raises:
            HubLost: nobody is there any more.
        """
        policy, stack = self._policy, stack_around(frame)
        boundary = msgspec.structs.replace(placed(boundary, frame), rank=self._rank.number)
        seen = self._watch.pass_by(boundary, done, stack, returning, stops=policy.findings.wanted)
        if seen is None:
            return
        self._last_index = self._phases.index
        why = policy.findings.met(seen.findings)
        policy.stopped()
        self._tracer.losses.settle(wait=True)
        boundary = msgspec.structs.replace(boundary, loss=self._phases.loss)
        if boundary.next is not None:
            self._rank.say_where(self._phases, boundary.next, monotonic_ns())
        self._server.wait(boundary, Cause(*why, stack, returning=returning, coming=owner, seen=seen))

    def inside(self, cause: Cause, frame: FrameType | None) -> None:
        """Stop at an inner boundary.

        Raises:
            HubLost: nobody is there any more.
        """
        current = self._phases.current
        cause = replace(cause, coming=current.owner if current is not None else None)
        self.enter_at_line()
        boundary = self.here(frame)
        if self._trace is not None:
            self._trace_boundary(self._trace, boundary, cause.stack, end=cause)
        else:
            self._policy.stopped()
            watchpoints = self._points.watchpoints
            if watchpoints.any:
                within = boundary.inside[-1] if boundary.inside else ""
                watchpoints.look(frame, self._phases.update, lambda: f"in {within}" if within else "before this line")
            with self._tracer.following.turn:
                self._server.wait(boundary, cause)
            if watchpoints.any:
                watchpoints.keep(frame, self._phases.update)

    def enter_at_line(self) -> None:
        """Enter the session, where that has not been done, at a line of the script's.

        Raises:
            HubLost: this process is none that trains, or nobody is there any more.
        """
        if self._rank.page is None:
            self._tracer.following.stays_silent("line", None)
            self._join()

    def here(self, frame: FrameType | None) -> m.Boundary:
        """Where training is, within a phase or between two of them.

        Args:
            frame: The user's frame.
        """
        phases = self._tracer.phases
        inside = phases.inside if phases.running is None else (*phases.inside, phases.running.name)
        boundary = m.Boundary(
            phases.index, phases.update, inside=inside, epoch=phases.epoch, loss=phases.loss, rank=self._rank.number
        )
        return placed(boundary, frame)

    @property
    def may_stop(self) -> bool:
        """Whether training can stop at what is no boundary: the session was entered and is not over, and no trace is
        written, which is told of exceptions at its end.
        """
        return self._rank.page is not None and self._trace is None and not self._ended

    def ends(self, cause: Cause) -> bool:
        """The last boundary comes; whether it is to be looked at, which it is once."""
        if self._ended or self._tracer.muted or self._rank.page is None:
            return False
        self._ended = True
        self._tracer.lines.let_go()
        return cause.reason != "exception" or self._policy.exceptions

    def at_end(self, cause: Cause) -> None:
        """Stop at the last boundary.

        Raises:
            HubLost: nobody is there any more.
        """
        phases, now, checks = self._phases, monotonic_ns(), self._policy.checks
        if cause.reason == "exit" and checks.on and checks.bad_before("") and checks.number:
            cause = Cause("nan", "", [])
        running, ended = phases.running, cause.reason in ("exit", "nan")
        if ended:
            phases.no_loss_came()
        elif running is not None and running.name == "loss":
            running.doubt = None  # the exception comes out of it
        done, _ = phases.advance(None, now, None)
        phases.conclude(ended=ended)
        boundary = phases.boundary(None, done, None, now, predicted=False)
        if cause.reason == "exception":
            frame = next((f for f in cause.stack if frames.origin(f.f_code.co_filename) == "user"), None)
            boundary = placed(boundary, frame, (cause.lines or {}).get(id(frame)))
            if inside := cause.left or ((*done.inside, done.name) if done and done is running else ()):
                boundary = msgspec.structs.replace(boundary, inside=inside, done=None)
        with self._tracer.following.turn:
            if self._trace is not None:
                self._trace_boundary(self._trace, boundary, cause.stack, end=cause)
            frame = frames.user_frame(next(iter(cause.stack), None))
            arrival = Arrival(boundary, False, False, frame, None, *_of(done))
            self._sample(arrival, done)
            if self._points.late.arrive(boundary.update, wait=True) and (late := self._points.met_late(boundary)):
                self._rank.link.send(m.Notice(f"{late}: by then training has ended", "warning"))
            if self._points.any:  # for what they note: training stops in any case
                self._policy.look()
                self._points.met(arrival)
            self._server.wait(msgspec.structs.replace(boundary, rank=self._rank.number), cause)

    def _sample(self, at: Arrival, done: Phase | None) -> None:
        """Take a sample of watches and parameters, if an update is done."""
        if done is None or done.name != "step" or done.outer is not None:
            return
        free, history = self._policy.free, self._history
        if self._watches.any:
            self._watches.sample(Arrival(at.boundary, at.silent, at.sure, at.frame), free=free)
        if self._trace is None and history.wanted(free=free) and was_last_step(self._phases):
            history.update_done()
            if not free:
                history.waited()

    def goes_on_after_end(self) -> None:
        """What has ended was not the script but a thread of it: further boundaries may come."""
        self._ended = False

    def _trace_boundary(
        self,
        trace: Trace,
        boundary: m.Boundary,
        stack: list[FrameType],
        returning: FrameType | None = None,
        end: Cause | None = None,
    ) -> None:
        """Add a boundary to the trace.

        Raises:
            SystemExit: the updates that were to be traced are over.
        """
        if trace.passes(boundary, stack, self._phases, returning=returning, end=end):
            self._tracer.muted = self._ended = True
            raise SystemExit(0)

    def _join(self) -> None:
        """Enter the session as a rank, at the first boundary.

        Raises:
            HubLost: this process is none.
        """
        welcome = self._rank.join()
        self._points.late.allowed = self._tracer.losses.keeps = welcome.async_conditions
        self._tracer.losses.joined()
        self._points.rank = self._rank.number
        self._policy.begin(welcome)
        self._watches.hold(welcome.watches)
        self._server.begin(welcome)
        self._watch.rules.choose(welcome.rules, welcome.ignored_rules)
        if welcome.trace is not None:
            self._trace = Trace(
                welcome.trace,
                self._rank.link,
                self._rank.number,
                self._returns,
                self._policy.checks,
                self._tracer.gave_up,
            )
        self._tracer.lines.entered()
        self._tracer.exceptions.entered()
        self._tracer.following.stay_here()
        if multiprocessing.process.parent_process() is not None:  # it ends by os._exit, and runs no atexit
            multiprocessing.util.Finalize(None, self._tracer.finish, exitpriority=100)

    def _read_messages(self) -> None:
        """Read what the hub has sent while training ran.

        Raises:
            HubLost: the session has ended.
        """
        if self._rank.page is not None:
            self._rank.page.clear_bell()
        for message in self._rank.link.pending():
            match message:
                case m.Pause():
                    self._policy.pause()
                case m.SetBreakpoints(breakpoints=points):
                    self._policy.set_breakpoints(points)
                case m.SetWatches(watches=watches):
                    self._watches.hold(watches)
                case m.Ask(number=number):
                    refusal = m.Refusal("training is running; press p to pause it")
                    self._rank.link.send(m.Answer(number, refusal))
                case m.Disarm():
                    raise HubLost("the session has ended")


def _of(done: Phase | None) -> tuple[PhaseOwner, str | None]:
    """Whose the phase done was, and of what loss."""
    return (done.owner, done.loss) if done is not None else (None, None)
