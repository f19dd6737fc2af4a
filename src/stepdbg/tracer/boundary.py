"""The one place where training stops.

A source says that a phase begins (`begin`, `move_on`) or that its call has returned (`end`); here it is decided whether
to stop, what was done is described, and while training waits its thread serves what the hub asks. In a free run a
boundary is a few counters and one write to the shared page.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Hashable
from pathlib import Path
from types import FrameType
from typing import Any

import msgspec
import torch

from stepdbg import api
from stepdbg.protocol import messages as m
from stepdbg.protocol.page import LOSS_NAMES, Page, padded
from stepdbg.tracer import breakpoints, deltas, effects, frames
from stepdbg.tracer.course import Course, Phase
from stepdbg.tracer.inspection import Desk
from stepdbg.tracer.link import HubLost, Link
from stepdbg.tracer.registry import Registry


class Tracer:
    """The tracer of this process: silent until the first boundary, quiet for good once the hub is gone."""

    def __init__(self, link: Link, folder: Path) -> None:
        self.course = Course()
        self.registry = Registry()
        self.quiet = False
        """True when nothing is to be made into boundaries any more."""
        self.driving = False
        """True while a generator loop runs: only its yields make boundaries."""
        self._link = link
        self._folder = folder
        self._page: Page | None = None
        self._thread = threading.get_ident()
        self._until: m.Go | None = None
        self._pausing = False
        self._breakpoints = breakpoints.Breakpoints()
        self._before: effects.Picture | None = None
        """With fingerprints, from the start of the phase that runs; None where nobody will look."""
        self._counters: effects.Picture | None = None
        """From the last stop."""
        self._line_done: tuple[str, int] | None = None
        self._deltas = deltas.Deltas()
        self._desk = Desk(self.registry, self.course, self._deltas)
        self._loss_indices: dict[str, int] = {}
        self._phase_bytes: dict[str, bytes] = {}
        self._ended = False
        self._marked: list[Phase | None] = []
        """The phases of `with stepdbg.phase` that are open."""
        self._broken: tuple[str, ...] = ()
        """The phase that an exception has just left, with what encloses it."""
        self._held: list[object] = []
        """Models and optimizers, while somebody steps: so that the last step of a function can still be looked at."""

    # what the sources call

    def listening(self) -> bool:
        """Whether a call in this thread makes boundaries."""
        return not self.quiet and threading.get_ident() == self._thread

    def begin(
        self,
        name: str,
        *,
        call: bool = True,
        predicted: str | None = None,
        optimizer: Hashable = None,
        kept: bool = True,
        silent: bool = False,
        returning: bool = False,
        at: FrameType | None = None,
    ) -> Phase | None:
        """Stand at the boundary before that phase, stop there if need be, and begin it.

        Args:
            name: The phase.
            call: It is a call that will be ended by `end`; else it ends where the next begins.
            predicted: What to announce as next where `name` is not sure.
            optimizer: The optimizer whose phase it is.
            kept: It is part of the order of an update.
            silent: Nothing lies between this boundary and the one before: do not stop here again for `n`.
            returning: A model's output is just being returned to the user's frame.
            at: The user's frame, where it is not on the stack (a suspended generator).
        """
        try:
            return self._begin(name, call, predicted, optimizer, kept, silent, returning, at or sys._getframe(1))
        except Exception as error:
            self._let_go(error)
            return None

    def _begin(
        self,
        name: str,
        call: bool,
        predicted: str | None,
        optimizer: Hashable,
        kept: bool,
        silent: bool,
        returning: bool,
        caller: FrameType,
    ) -> Phase | None:
        frame = frames.user_frame(caller)
        self._broken = ()
        boundary = self._arrive(frame, predicted or name, predicted is not None, optimizer, silent, returning)
        if predicted is not None:
            boundary = msgspec.structs.replace(boundary, next=name)
        now = time.monotonic_ns()
        phase = self.course.depart(boundary, now, call=call, kept=kept)
        if phase is not None and frame is not None:
            phase.place = (frame.f_code.co_filename, frame.f_lineno or 0)
        if self._page is not None:
            self._say_where(name, now)
        return phase

    def end(self, phase: Phase) -> None:
        """The call of that phase has returned."""
        self.course.leave(phase, time.monotonic_ns())

    def broke(self, phase: Phase) -> None:
        """An exception has left that phase."""
        inside = next((level.inside for level in self.course.levels if level.running is phase), None)
        if inside is None:
            return
        if not self._broken:
            self._broken = (*inside, phase.name)
        self.end(phase)

    def loss_at_backward(self, tensor: torch.Tensor, name: str) -> None:
        """`backward` is about to be called on that tensor."""
        self.registry.add_loss(tensor, name)
        if tensor.numel() != 1 or tensor.is_complex():
            return
        value = float(tensor.detach())
        self.course.loss = value
        if self._page is None:
            return
        index = self._loss_indices.get(name)
        if index is None:
            index = self._loss_indices[name] = min(len(self._loss_indices), LOSS_NAMES - 1)
            self._page.name_loss(index, name)
        self._page.add_loss(self.course.update, index, value)

    def finish(self, frame: FrameType | None = None) -> None:
        """The script has come to its end: the last boundary."""
        if self._page is None or self._ended or not self.listening():
            return
        self._ended = True
        try:
            boundary = self.course.arrive(None, time.monotonic_ns(), predicted=False)
            self._stop(boundary, frames.stack(frame), "exit", "the script has ended")
        except Exception as error:
            self._let_go(error)

    def failed(self, error: BaseException) -> None:
        """An exception is about to end the script."""
        if self._ended or not self.listening():
            return
        self._ended = True
        if self._page is None:
            return
        try:
            boundary = self.course.arrive(None, time.monotonic_ns(), predicted=False)
            if self._broken:
                boundary = msgspec.structs.replace(boundary, inside=self._broken, done=None)
            stack, lines = frames.traceback_frames(error.__traceback__)
            self._stop(boundary, stack, "exception", f"{type(error).__name__}: {error}", lines, _failure(error))
        except Exception as fault:
            self._let_go(fault)

    # what the public names call

    def drive(self, generator: Any) -> Any:
        """Run a generator loop with a boundary at each yield."""
        from stepdbg.tracer.sources.generator import drive

        return drive(self, generator)

    def enter_phase(self, name: str) -> None:
        """`with stepdbg.phase(name):` begins."""
        if self.listening() and not self.driving:
            self._marked.append(self.begin(name))

    def leave_phase(self) -> None:
        """… and ends."""
        if self._marked and (phase := self._marked.pop()) is not None:
            self.end(phase)

    def stop_here(self) -> None:
        """`stepdbg.breakpoint()`: an inner boundary, at which training stops."""
        if not self.listening():
            return
        running = [level.running.name for level in self.course.levels if level.running is not None]
        frame = frames.user_frame(sys._getframe(1))
        if self._page is None and not self._join():
            return
        boundary = m.Boundary(
            index=self.course.index + 1,
            update=self.course.update,
            inside=tuple(running),
            epoch=self.course.epoch,
            loss=self.course.loss,
        )
        self.course.index += 1
        self._stop(self._placed(boundary, frame), frames.stack(frame), "breakpoint", "stepdbg.breakpoint()")

    def close(self, phase: Phase) -> None:
        """The generator loop has ended, and with it its last phase."""
        self.course.close_running(phase, time.monotonic_ns())

    # deciding

    def _arrive(
        self,
        frame: FrameType | None,
        following: str,
        predicted: bool,
        optimizer: Hashable,
        silent: bool,
        returning: bool,
    ) -> m.Boundary:
        course = self.course
        boundary = course.arrive(following, time.monotonic_ns(), predicted=predicted, optimizer=optimizer)
        if self._page is None and not self._join():
            return boundary
        try:
            if self._page is not None and self._page.bell():
                self._read_mail()
        except HubLost:
            self.disarm()
        if self.quiet:
            return boundary
        why = self._why(boundary, silent)
        if why is not None:
            stack = self._stack(frame)
            self._stop(self._placed(boundary, frame), stack, *why, returning=frame if returning else None)
        elif self._until != "next":
            self._before = None
        if self._before is None and not self.quiet and self._due(boundary):
            self._look(self._stack(frame), frame if returning else None)
            self._before = effects.take(self.registry)
            if boundary.next == "step":
                self._deltas.before_step(self.registry)
            self.registry.release()
        if frame is not None and self._before is not None:
            self._line_done = (os.path.abspath(frame.f_code.co_filename), frame.f_lineno or 0)
        return boundary

    def _why(self, boundary: m.Boundary, silent: bool) -> tuple[m.Reason, str] | None:
        """The reason to stop here, if there is one."""
        if self._breakpoints.any and (point := self._breakpoints.met(boundary)) is not None:
            self._send(m.BreakpointHit(point.number))
            return "breakpoint", breakpoints.in_words(point)
        if self._pausing:
            return "pause", ""
        if self._until is None:
            return "step", ""
        if self._until == "next" and not silent:
            within_eval = boundary.next == "eval" and boundary.done in ("eval", None)
            return None if within_eval else ("step", "")
        if self._until == "finish" and boundary.opens is not None:
            return "step", ""
        return None

    def _due(self, boundary: m.Boundary) -> bool:
        """Whether training is foreseen to stop at the end of the phase that begins here."""
        if self._until == "next":
            return True
        phase = boundary.next
        if phase is None:
            return False
        last = phase == "step" or self.course.is_last(phase)
        if self._until == "finish" and last:
            return True
        if not self._breakpoints.any:
            return False
        update = boundary.opens or self.course.update
        return self._breakpoints.foreseen(phase, self.course.foretell(phase), update, last)

    # stopping

    def _stack(self, frame: FrameType | None) -> list[FrameType]:
        """The frames from that one outwards; a suspended generator stands on those that drive it."""
        found = frames.stack(frame)
        if frame is not None and frame.f_back is None:
            found += [outer for outer in frames.stack(sys._getframe(1)) if outer is not frame]
        return found

    def _look(self, stack: list[FrameType], returning: FrameType | None = None) -> None:
        with torch.no_grad():
            self.registry.refresh(stack, returning)

    def _stop(
        self,
        boundary: m.Boundary,
        stack: list[FrameType],
        reason: m.Reason,
        detail: str,
        lines: dict[int, int] | None = None,
        failure: m.Failure | None = None,
        returning: FrameType | None = None,
    ) -> None:
        """Say what there is to see, then serve until told to go on."""
        self._pausing = False
        now = time.monotonic_ns()
        if self._page is not None:
            self._say_where(boundary.next or "", now)
        try:
            with torch.no_grad():
                stop = self._describe(boundary, stack, reason, detail, lines, failure, returning)
                self._link.send(m.Stopped(stop))
                self._serve(stack)
        except HubLost:
            self.disarm()
        finally:
            self.registry.release()
            self._desk.close()

    def _describe(
        self,
        boundary: m.Boundary,
        stack: list[FrameType],
        reason: m.Reason,
        detail: str,
        lines: dict[int, int] | None,
        failure: m.Failure | None,
        returning: FrameType | None,
    ) -> m.Stop:
        course, registry = self.course, self.registry
        registry.refresh(stack, returning)
        after = effects.take(registry)
        done = course.level.last
        found = None
        if boundary.done is not None:
            if self._before is not None:
                found = effects.between(self._before, after, "fingerprint")
            elif self._counters is not None:
                found = effects.between(self._counters, effects.counters_only(after), "counters")
            if done is not None and self._before is not None:
                done.effects = effects.without_names(found)
            if boundary.done == "step":
                self._deltas.after_step(registry)
        if boundary.next == "step":
            self._deltas.before_step(registry)
        self._before = after
        self._held = [thing for _, thing in (*registry.models(), *registry.optimizers())]
        loss = registry.newest_loss()
        if loss is not None and loss.numel() == 1 and course.pending_backward:
            boundary = msgspec.structs.replace(boundary, loss=float(loss))
        self._desk.open(stack, boundary, after)
        frame = stack[0] if stack else None
        described = frames.describe(stack, lines)
        mine = next((entry for entry in described if not entry.library), None)
        return m.Stop(
            boundary=boundary,
            reason=reason,
            detail=detail,
            effects=found,
            phases=course.records(),
            previous=tuple(course.previous),
            frames=described,
            line_done=done.place and (os.path.abspath(done.place[0]), done.place[1]) if done else None,
            line_next=(mine.file, mine.line) if mine and frame is not None and boundary.next else None,
            census=registry.census(),
            registry=registry.version,
            pending_backward=course.pending_backward,
            loss_name=registry.loss_name(),
            failure=failure,
        )

    def _serve(self, stack: list[FrameType]) -> None:
        while True:
            message = self._link.receive()
            match message:
                case m.Resume(until=until):
                    self._until = until
                    if self._desk.edited:
                        self._before = None
                        self.registry.refresh(stack)
                        self._before = effects.take(self.registry)
                    self._counters = effects.counters_only(self._before or {})
                    if until != "next":
                        self._before, self._held = None, []
                    self._link.send(m.Resumed(self.course.index, until))
                    return
                case m.Ask(number=number, query=query):
                    self._link.send(m.Answer(number, self._desk.answer(query)))
                case m.SetBreakpoints(breakpoints=points):
                    self._breakpoints = breakpoints.Breakpoints(points)
                case m.Disarm():
                    raise HubLost("the session has ended")
                case _:
                    pass

    # the hub

    def _join(self) -> bool:
        """At the first boundary: enter the session as a rank. False where this process is none."""
        if torch.utils.data.get_worker_info() is not None:
            self.disarm()
            return False
        self._thread = threading.get_ident()
        try:
            name = f"page-{os.getpid()}"
            (self._folder / name).unlink(missing_ok=True)
            self._page = Page(self._folder / name, create=True)
            self._link.send(
                m.RankHello(
                    version=m.PROTOCOL_VERSION,
                    pid=os.getpid(),
                    rank=_number("RANK"),
                    world=max(1, _number("WORLD_SIZE", 1)),
                    page=name,
                    torch=str(torch.__version__),
                    python=sys.version.split()[0],
                )
            )
            welcome = self._link.receive()
            if not isinstance(welcome, m.RankWelcome) or welcome.version != m.PROTOCOL_VERSION:
                raise HubLost("the hub speaks another version")
        except (HubLost, OSError):
            self.disarm()
            return False
        self._until = welcome.go
        self._desk.readonly = welcome.readonly
        self._breakpoints = breakpoints.Breakpoints(welcome.breakpoints)
        return True

    def _read_mail(self) -> None:
        if self._page is not None:
            self._page.clear_bell()
        for message in self._link.pending():
            match message:
                case m.Pause():
                    self._pausing = True
                case m.SetBreakpoints(breakpoints=points):
                    self._breakpoints = breakpoints.Breakpoints(points)
                case m.Ask(number=number):
                    self._link.send(m.Answer(number, m.Refusal("training is running; press p to pause it")))
                case m.Disarm():
                    raise HubLost("the session has ended")
                case _:
                    pass

    def _send(self, message: m.Message) -> None:
        try:
            self._link.send(message)
        except HubLost:
            self.disarm()

    def _let_go(self, error: Exception) -> None:
        """A fault of ours must not become the user's: say so, and let training go on undebugged."""
        where = error.__traceback__
        while where is not None and where.tb_next is not None:
            where = where.tb_next
        place = f"{where.tb_frame.f_code.co_filename}:{where.tb_lineno}" if where else "?"
        fault = f"{type(error).__name__}: {error} ({place})"
        self._send(
            m.Notice(f"stepdbg failed and has let go; training goes on undebugged. Please report: {fault}", "error")
        )
        self.disarm()

    def disarm(self) -> None:
        """The hub is gone, or this process is none of the session's: never stop or report again."""
        self.quiet = True
        api.tracer = None
        self._link.close()
        self._before = self._counters = None
        self._held = []
        if self._page is not None:
            self._page.close()
            self._page = None

    def _say_where(self, phase: str, now_ns: int) -> None:
        name = self._phase_bytes.get(phase)
        if name is None:
            name = self._phase_bytes[phase] = padded(phase)
        course = self.course
        loss = course.loss if course.loss is not None else float("nan")
        if self._page is not None:
            self._page.enter(course.index, course.update, course.epoch, now_ns, loss, name)

    def _placed(self, boundary: m.Boundary, frame: FrameType | None) -> m.Boundary:
        """The boundary with the user's file and line."""
        if frame is None:
            return boundary
        file = os.path.abspath(frame.f_code.co_filename)
        return msgspec.structs.replace(boundary, file=file, line=frame.f_lineno, rank=_number("RANK"))


def _number(variable: str, default: int = 0) -> int:
    """An environment variable that a launcher sets."""
    value = os.environ.get(variable, "")
    return int(value) if value.isdigit() else default


def _failure(error: BaseException) -> m.Failure:
    import traceback

    return m.Failure(type(error).__name__, str(error), "".join(traceback.format_exception(error)))
