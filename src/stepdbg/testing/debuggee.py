"""A training process that is none: a thread which trains in plain Python and speaks the protocol of a rank.

It stops, resumes, answers and can fail just as the boundary of the tracer does, over blocking sockets, so that
asynchronous tests can drive it.
"""

from __future__ import annotations

import contextlib
import math
import os
import platform
import sys
import threading
import time
import traceback
import weakref
from array import array
from pathlib import Path
from types import FrameType
from typing import TextIO

import msgspec

from stepdbg.errors import ProtocolError
from stepdbg.listing.effect_names import counted
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    Answer,
    Ask,
    Boundary,
    Breakpoint,
    BreakpointHit,
    Disarm,
    Effect,
    Effects,
    Failure,
    Frame,
    Go,
    Inner,
    Operand,
    Pause,
    PhaseRecord,
    RankHello,
    RankWelcome,
    Reason,
    Resume,
    Resumed,
    SetBreakpoints,
    Stop,
    Stopped,
    ToRank,
)
from stepdbg.protocol.page import LOSS_NAMES, Page
from stepdbg.testing import textbook
from stepdbg.testing.comparing import Fingerprints, effects_between, fingerprints, meets
from stepdbg.testing.inside import Inside
from stepdbg.testing.inspection import Inspection
from stepdbg.testing.line import Line
from stepdbg.testing.network import Adam, Decay, Loader, Network

_started: weakref.WeakSet[FakeDebuggee] = weakref.WeakSet()


def vanish_all() -> None:
    """Have every fake that runs in this process be gone, and wait for it: none outlives the test that started it."""
    for fake in list(_started):
        fake.vanish()
        if not fake.ended.wait(10.0):
            raise TimeoutError("a fake debuggee does not end")
    _started.clear()


class FakeDebuggee:
    """Trains `updates` updates under the hub of `folder`.

    Args:
        folder: the session's.
        updates: after so many the script ends.
        batches: per epoch; after each epoch come a scheduler and an eval phase.
        rank: its own, of `world`.
        fail_at: an update and a phase in which the script raises.
        pace: seconds that each phase is made to last, so that a free run can be watched.
        echo: where a line per update is printed.
        watch: the name under which it watches the number of the update, negated; empty: it watches nothing.
        blocks: so many further modules the model has, with a parameter each.
    """

    def __init__(
        self,
        folder: Path,
        *,
        updates: int = 100,
        batches: int = 10,
        rank: int = 0,
        world: int = 1,
        fail_at: tuple[int, str] | None = None,
        pace: float = 0.0,
        echo: TextIO | None = None,
        watch: str = "",
        blocks: int = 0,
    ) -> None:
        self.folder, self.updates, self.rank, self.world = folder, updates, rank, world
        self.fail_at, self.pace, self.echo, self.watch = fail_at, pace, echo, watch
        self.model = Network(blocks=blocks)
        self.optimizer = Adam(self.model.parameters)
        self.ended = threading.Event()
        """Set when the thread has ended, for whatever reason."""
        self.crash: BaseException | None = None
        """What ended the thread, where it should not have."""
        self._loop = textbook.train(self.model, self.optimizer, Decay(self.optimizer), Loader(batches))
        self._inspection = Inspection(self.model, self.optimizer)
        self._inside = Inside(self.model, self.optimizer, self._inspection, self._stop_inside)
        self._line = Line()
        self._at_boundary = Boundary(0, 1)
        """The last one between two phases."""
        self._go: Go | None = "continue"
        self._asked_to_pause = False
        self._disarmed = False
        self._breakpoints: tuple[Breakpoint, ...] = ()
        self._phases: list[PhaseRecord] = []
        self._previous: tuple[PhaseRecord, ...] = ()
        self._before: Fingerprints | None = None
        self._values_before: dict[str, array[float]] = {}
        self._gone = threading.Event()
        """Set when it vanishes: its thread ends at the next phase, as a killed process would."""
        self._thread = threading.Thread(target=self._run, name=f"fake-rank-{rank}", daemon=True)

    # ------------------------------------------------------------ from outside

    def start(self) -> FakeDebuggee:
        """Begin in a thread of its own."""
        _started.add(self)
        self._thread.start()
        return self

    def join(self, timeout: float = 10.0) -> None:
        """Wait for the end.

        Raises:
            TimeoutError: it goes on after `timeout` seconds.
            BaseException: whatever crashed it.
        """
        if not self.ended.wait(timeout):
            raise TimeoutError("the fake debuggee has not ended")
        if self.crash is not None:
            raise self.crash

    def vanish(self) -> None:
        """Be gone without a word, as a killed process is."""
        self._gone.set()
        self._line.hang_up()

    def weights(self) -> bytes:
        """All parameters, to compare runs bit by bit."""
        return b"".join(parameter.values.tobytes() for parameter in self.model.parameters.values())

    def train(self) -> None:
        """Run in this thread, to the end."""
        self._connect()
        try:
            self._train()
        finally:
            self._page.close()
            self._line.close()

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            self.train()
        except BaseException as error:
            self.crash = error
        finally:
            self.ended.set()

    def _connect(self) -> None:
        self._line.connect(self.folder)
        self._line.say(
            {
                "born": {
                    "pid": os.getpid(),
                    "ppid": os.getppid(),
                    "python": platform.python_version(),
                    "executable": sys.executable,
                    "argv": ["textbook.py"],
                    "cwd": os.getcwd(),
                    "version": PROTOCOL_VERSION,
                }
            }
        )
        name = f"page-{os.getpid()}-{self.rank}"
        with contextlib.suppress(FileNotFoundError):
            (self.folder / name).unlink()
        self._page = Page(self.folder / name, create=True)
        self._page.name_loss(0, "loss")
        if self.watch:
            self._page.name_loss(LOSS_NAMES, self.watch)
        self._line.send(
            RankHello(PROTOCOL_VERSION, os.getpid(), self.rank, self.world, name, "none", platform.python_version())
        )
        welcome = self._line.receive()
        if not isinstance(welcome, RankWelcome):
            if not isinstance(welcome, Disarm):
                raise ProtocolError(f"a {type(welcome).__name__} came before the welcome")
            self._disarmed = True
            welcome = RankWelcome(PROTOCOL_VERSION, "continue")
        self._go, self._breakpoints = welcome.go, welcome.breakpoints
        self._inspection.readonly = welcome.readonly

    def _train(self) -> None:
        boundary = Boundary(0, 1)
        line: int | None = None
        while not self._gone.is_set():
            failing = self.fail_at == (boundary.opens or boundary.update, boundary.next) and boundary.index > 0
            began = time.perf_counter()
            self._at_boundary = boundary
            self._inside.enter((boundary.next or "") if self._go in ("into", "operator") else "")
            try:
                next_phase = self._raise_inside() if failing else next(self._loop)
            except RuntimeError as error:
                self._stop_at_exception(self._at_boundary, error)
                break
            if self.pace and boundary.index:
                self._gone.wait(self.pace)
            ms = (time.perf_counter() - began) * 1000 if boundary.index else None
            boundary = self._next_boundary(self._at_boundary, next_phase, ms)
            if boundary.opens == self.updates + 1:
                ended = Boundary(
                    boundary.index,
                    boundary.update,
                    boundary.done,
                    ms=ms,
                    loss=boundary.loss,
                    epoch=boundary.epoch,
                    file=textbook.__file__,
                    line=boundary.line,
                    rank=self.rank,
                )
                self._wait_at(ended, "exit", line, "the script has ended")
                break
            self._at(boundary, line)
            line = boundary.line
        if self._armed:
            self._line.say({"exiting": True})

    def _raise_inside(self) -> str:
        return str(self._loop.throw(RuntimeError("mat1 and mat2 shapes cannot be multiplied (8x12 and 13x16)")))

    def _next_boundary(self, last: Boundary, next_phase: str, ms: float | None) -> Boundary:
        done = last.next
        frame = self._frame()
        self._inspection.variables = variables = dict(frame.f_locals)
        update = last.opens or last.update
        if done is not None:
            if last.opens:
                self._previous, self._phases = tuple(self._phases), []
            self._phases.append(PhaseRecord(done, ms))
        loss = variables["loss"].values[0] if done in ("loss", "backward", "step") else None
        if done == "loss":
            self._page.add_loss(update, 0, loss or 0.0)
            if self.watch:
                self._page.add_loss(update, LOSS_NAMES, -float(update))
        if done == "step" and self.echo is not None:
            print(f"update {update}  loss {variables['loss'].values[0]:.4f}", file=self.echo, flush=True)
        opens = None
        if next_phase == "data":
            opens = 1 if done is None else update + 1
        boundary = Boundary(
            last.index + 1,
            update,
            done,
            next_phase,
            opens=opens,
            rank=self.rank,
            epoch=variables["epoch"],
            file=textbook.__file__,
            line=frame.f_lineno + 1,
            ms=ms,
            loss=loss,
        )
        self._inspection.pending_backward = next_phase == "backward" or done == "forward"
        self._inspection.step_is_next = next_phase == "step"
        self._inspection.boundary, self._inspection.update = boundary.index, update
        self._page.progress(opens or update, boundary.epoch)
        self._page.enter(time.monotonic_ns(), next_phase)
        return boundary

    def _frame(self) -> FrameType:
        frame: FrameType | None = getattr(self._loop, "gi_frame", None)
        assert frame is not None, "the textbook loop never ends by itself"
        return frame

    # ------------------------------------------------------------ stopping

    @property
    def _armed(self) -> bool:
        return not (self._disarmed or self._line.broken)

    def _at(self, boundary: Boundary, line_done: int | None) -> None:
        if self._page.bell():
            self._page.clear_bell()
            self._read_what_is_there()
        reason, detail = self._reason(boundary)
        if reason is None:
            self._before = None
        else:
            self._wait_at(boundary, reason, line_done, detail)

    def _reason(self, boundary: Boundary) -> tuple[Reason | None, str]:
        if not self._armed:
            return None, ""
        for breakpoint in self._breakpoints:
            if breakpoint.enabled and meets(breakpoint, boundary):
                self._line.send(BreakpointHit(breakpoint.number))
                return "breakpoint", f"breakpoint {breakpoint.number}"
        if self._asked_to_pause:
            return "pause", ""
        if self._go in (None, "next", "into", "operator") or (self._go == "finish" and boundary.opens):
            return "step", ""
        return None, ""

    def _wait_at(
        self,
        boundary: Boundary,
        reason: Reason,
        line_done: int | None,
        detail: str = "",
        failure: Failure | None = None,
        inner: Inner | None = None,
    ) -> None:
        if not self._armed:
            return
        self._asked_to_pause = False
        before = self._before
        found = self._effects()
        effects = counted(found, "fingerprint") if found is not None else None
        self._inspection.effects = tuple(found or ())
        self._inspection.newest.keep(boundary.index, self._inspection.effects)
        if self._phases and effects is not None and inner is None:
            last = self._phases[-1]
            self._phases[-1] = PhaseRecord(last.name, last.ms, effects=Effects(effects.basis, effects.counts))
        frame = self._frame() if failure is None and inner is None else None
        stack: tuple[Frame, ...] = (Frame(__file__, 0, "train", True),)
        if boundary.file and boundary.line:
            stack = (Frame(boundary.file, boundary.line, "train"), *stack, Frame(boundary.file, 1, "<module>"))
        self._line.send(
            Stopped(
                Stop(
                    boundary,
                    reason,
                    detail,
                    effects,
                    tuple(self._phases),
                    self._previous,
                    stack,
                    (textbook.__file__, line_done) if line_done else None,
                    (textbook.__file__, frame.f_lineno + 1) if frame and boundary.next else None,
                    self._inspection.census(),
                    1 if "loss" not in self._inspection.variables else 2,
                    self._inspection.pending_backward,
                    "loss" if "loss" in self._inspection.variables else None,
                    failure,
                    made_in=self._made_in(boundary.update),
                    inner=inner,
                )
            )
        )
        while self._armed:
            message = self._line.receive()
            if isinstance(message, Resume):
                self._go = message.until
                self._line.send(Resumed(boundary.index, message.until))
                break
            self._obey(message)
        if inner is not None:
            self._before = before
            return
        self._before = fingerprints(self._inspection.objects())
        self._values_before = {name: array("d", p.values) for name, p in self.model.parameters.items()}

    def _stop_inside(self, inner: Inner) -> None:
        """Wait after one unit of the phase that runs."""
        if self._go not in ("into", "operator"):
            return
        last = self._at_boundary
        line = self._frame().f_lineno
        boundary = Boundary(last.index + 1, last.opens or last.update, inside=(last.next or "",), rank=self.rank,
                            epoch=last.epoch, file=textbook.__file__, line=line)  # fmt: skip
        self._at_boundary = msgspec.structs.replace(last, index=boundary.index)
        self._inspection.boundary = boundary.index
        self._wait_at(boundary, "step", None, inner=inner)

    def _made_in(self, update: int) -> dict[str, int]:
        """The update that batch, output and loss are of."""
        done = {record.name for record in self._phases}
        makers = {"batch": "data", "output": "forward", "loss": "loss"}
        return {kind: update - (maker not in done) for kind, maker in makers.items() if maker in done or update > 1}

    def _stop_at_exception(self, last: Boundary, error: RuntimeError) -> None:
        text = "".join(traceback.format_exception(type(error), error, error.__traceback__))
        lines = [
            entry.lineno for entry in traceback.extract_tb(error.__traceback__) if entry.filename == textbook.__file__
        ]
        line = lines[-1] if lines else None
        boundary = Boundary(last.index + 1, last.opens or last.update, inside=(last.next or "",), rank=self.rank,
                            epoch=last.epoch, file=textbook.__file__, line=line)  # fmt: skip
        operands = (Operand("x", (8, 12), "float32", "cpu"), Operand("model.fc1.weight", (16, 13), "float32", "cpu"))
        failure = Failure(type(error).__name__, str(error), text, "model.fc1", operands)
        self._wait_at(boundary, "exception", None, f"{failure.type}: {failure.message}", failure)

    def _effects(self) -> list[Effect] | None:
        before, self._before = self._before, None
        if before is None:
            return None
        effects = effects_between(before, self._inspection.objects())
        if any(effect.kind == "parameter" for effect in effects):
            self._inspection.ratios = {
                f"model.{name}": math.dist(self._values_before[name], parameter.values) / math.hypot(*parameter.values)
                for name, parameter in self.model.parameters.items()
            }
        return effects

    # ------------------------------------------------------------ talking

    def _obey(self, message: ToRank) -> None:
        match message:
            case SetBreakpoints(breakpoints=breakpoints):
                self._breakpoints = breakpoints
            case Pause():
                self._asked_to_pause = True
            case Disarm():
                self._disarmed = True
            case Ask(number=number, query=query):
                self._line.send(Answer(number, self._inspection.answer(query)))
            case Resume(until=until):
                self._go = until

    def _read_what_is_there(self) -> None:
        for message in self._line.pending():
            self._obey(message)
