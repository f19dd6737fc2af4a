"""A training process that is none: a thread which goes through a recorded training and speaks the protocol of a rank.

It stops, resumes, answers and can fail just as the boundary of the tracer does, over blocking sockets, so that
asynchronous tests can drive it.
"""

from __future__ import annotations

import contextlib
import os
import platform
import sys
import threading
import time
import weakref
from pathlib import Path
from typing import TextIO

from msgspec.structs import replace

from stepdbg.errors import ProtocolError
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    Answer,
    Ask,
    Boundary,
    Breakpoint,
    BreakpointHit,
    Disarm,
    Evaluate,
    Failure,
    Go,
    Operand,
    Pause,
    PhaseRecord,
    RankHello,
    RankWelcome,
    Reason,
    Resume,
    Resumed,
    SetBreakpoints,
    SetWatches,
    Stop,
    Stopped,
    ToRank,
    Unit,
    Watch,
    WatchesRead,
)
from stepdbg.protocol.page import LOSS_NAMES, WATCHES, Page
from stepdbg.testing import watching
from stepdbg.testing.line import Line
from stepdbg.testing.recording import Place, load
from stepdbg.testing.replay import Replay, moved_on

SCRIPT = "textbook.py"
"""What the recordings call the script."""
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
        folder: The session's.
        updates: After so many the script ends; those past the recorded ones repeat an epoch of them.
        rank: Its own, of `world`.
        world: How many ranks there are.
        fail_at: An update and a phase in which the script raises.
        pace: Seconds that each phase is made to last, so that a free run can be watched.
        echo: Where a line per update is printed.
        watch: The name under which it watches the number of the update, negated; empty: it watches nothing.
        recording: The training that is replayed: `textbook`, or `large`, whose model has 600 further modules.
    """

    def __init__(
        self,
        folder: Path,
        *,
        updates: int = 100,
        rank: int = 0,
        world: int = 1,
        fail_at: tuple[int, str] | None = None,
        pace: float = 0.0,
        echo: TextIO | None = None,
        watch: str = "",
        recording: str = "textbook",
    ) -> None:
        self.folder, self.updates, self.rank, self.world = folder, updates, rank, world
        self.fail_at, self.pace, self.echo, self.watch = fail_at, pace, echo, watch
        self.ended = threading.Event()
        """Set when the thread has ended, for whatever reason."""
        self.crash: BaseException | None = None
        """What ended the thread, where it should not have."""
        self.evaluated: list[str] = []
        """What the console has sent, oldest first."""
        self._recording = load(recording)
        self._replay = Replay(self._recording)
        self._line = Line()
        self._index = self._update = 0
        """Of the last boundary."""
        self._go: Go | None = "continue"
        self._asked_to_pause = False
        self._disarmed = False
        self._breakpoints: tuple[Breakpoint, ...] = ()
        self._watches: tuple[Watch, ...] = ()
        self._looked = False
        """Whether training has waited where the phase that runs began: then its effects are known."""
        self._phases: tuple[PhaseRecord, ...] = ()
        self._previous: tuple[PhaseRecord, ...] = ()
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

    def values(self, name: str) -> list[float] | None:
        """The elements of a tensor where training waits, with what was edited there; None where there is none."""
        found = self._replay.known.tensors.get(name)
        return None if found is None else [*found]

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
        self._script = str(self.folder / SCRIPT)
        if not os.path.exists(self._script):
            Path(self._script).write_text(self._recording.source)
        self._line.connect(self.folder)
        self._line.say(
            {
                "born": {
                    "pid": os.getpid(),
                    "ppid": os.getppid(),
                    "python": platform.python_version(),
                    "executable": sys.executable,
                    "argv": [SCRIPT],
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
        self._go, self._breakpoints, self._watches = welcome.go, welcome.breakpoints, welcome.watches
        self._replay.readonly = welcome.readonly

    def _train(self) -> None:
        places, again = self._recording.places, self._recording.again
        first, last = (places[place].stop.boundary for place in (again, -1))
        updates, epochs = last.update - first.update, (last.epoch or 0) - (first.epoch or 0)
        at = laps = 0
        ms: float | None = None
        while not self._gone.is_set():
            if self._pass(places[at], updates * laps, epochs * laps, ms):
                break
            began = time.perf_counter()
            self._inside(places[at], updates * laps, epochs * laps)
            if self.pace:
                self._gone.wait(self.pace)
            ms = (time.perf_counter() - began) * 1000
            at += 1
            if at == len(places) - 1:
                at, laps = again, laps + 1
        if self._armed:
            self._line.say({"exiting": True})

    def _pass(self, place: Place, updates: int, epochs: int, ms: float | None) -> bool:
        """A boundary; whether it is the last one."""
        stop = self._described(place, updates, epochs, ms)
        boundary = stop.boundary
        opening = boundary.opens or boundary.update
        self._page.progress(opening, boundary.epoch)
        self._page.enter(time.monotonic_ns(), boundary.next or "")
        if boundary.done == "loss":
            self._page.add_loss(boundary.update, 0, boundary.loss or 0.0)
            if self.watch:
                self._page.add_loss(boundary.update, LOSS_NAMES, -float(boundary.update))
        if boundary.done == "step":
            found = watching.values(self._watches, boundary)
            self._page.add_losses(
                (boundary.update, WATCHES + one.watch, one.value) for one in found if one.value is not None
            )
        if boundary.done == "step" and self.echo is not None:
            print(f"update {boundary.update}  loss {boundary.loss:.4f}", file=self.echo, flush=True)
        if self._page.bell():
            self._page.clear_bell()
            self._read_what_is_there()
        ends, fails = boundary.opens == self.updates + 1, self.fail_at == (opening, boundary.next)
        reason, detail = ("exit", "the script has ended") if ends else self._reason(boundary)
        self._looked = reason is not None
        if self._looked or fails:
            self._replay.arrive(place, boundary, updates, epochs)
        if ends:
            stop = replace(stop, boundary=replace(boundary, next=None, opens=None, line=None), line_next=None)
        if reason is not None:
            self._wait_at(stop, reason, detail)
        if fails and not self._gone.is_set():
            self._fail(stop)
        return ends or fails

    def _described(self, place: Place, updates: int, epochs: int, ms: float | None) -> Stop:
        """The recorded stop as it comes about here."""
        self._index += 1
        stop = moved_on(place.stop, updates, epochs)
        effects = stop.effects if self._looked else None
        if stop.boundary.update != self._update:
            self._update, self._previous, self._phases = stop.boundary.update, self._phases, ()
        for record in stop.phases[len(self._phases) :]:
            self._phases += (replace(record, ms=ms, effects=record.effects if effects else None),)
        files = {SCRIPT: self._script}
        line_done, line_next = (one and (files.get(one[0], one[0]), one[1]) for one in (stop.line_done, stop.line_next))
        file = self._script if stop.boundary.file else None
        return replace(
            stop,
            boundary=replace(stop.boundary, index=self._index, rank=self.rank, ms=ms, file=file),
            effects=effects,
            phases=self._phases,
            previous=self._previous,
            frames=tuple(replace(frame, file=files.get(frame.file, frame.file)) for frame in stop.frames),
            line_done=line_done,
            line_next=line_next,
        )

    def _inside(self, place: Place, updates: int, epochs: int) -> None:
        """The inner stops of the phase that runs, while it is stepped into."""
        passed: dict[Go | None, tuple[Unit, ...]] = {"into": ("operator", "node"), "operator": ("parameter",)}
        for inner in place.inside:
            if self._go in passed and inner.stop.inner and inner.stop.inner.unit not in passed[self._go]:
                stop = self._described(inner, updates, epochs, None)
                self._replay.arrive(inner, stop.boundary, updates, epochs)
                self._wait_at(stop, "step")

    def _fail(self, stop: Stop) -> None:
        self._index += 1
        last = stop.boundary
        boundary = Boundary(self._index, last.opens or last.update, inside=(last.next or "",), rank=self.rank,
                            epoch=last.epoch, file=last.file, line=last.line)  # fmt: skip
        words = "mat1 and mat2 shapes cannot be multiplied (8x12 and 13x16)"
        text = f'Traceback (most recent call last):\n  File "{last.file}", line {last.line}, in train\n'
        operands = (Operand("x", (8, 12), "float32", "cpu"), Operand("model.fc1.weight", (16, 13), "float32", "cpu"))
        failure = Failure("RuntimeError", words, f"{text}RuntimeError: {words}\n", "model.fc1", operands)
        raised = replace(stop, boundary=boundary, line_done=None, line_next=None, failure=failure)
        self._wait_at(raised, "exception", f"RuntimeError: {words}")

    # ------------------------------------------------------------ stopping

    @property
    def _armed(self) -> bool:
        return not (self._disarmed or self._line.broken)

    def _reason(self, boundary: Boundary) -> tuple[Reason | None, str]:
        if not self._armed:
            return None, ""
        for breakpoint in self._breakpoints:
            if breakpoint.enabled and _meets(breakpoint, boundary):
                self._line.send(BreakpointHit(breakpoint.number))
                return "breakpoint", f"breakpoint {breakpoint.number}"
        if self._asked_to_pause:
            return "pause", ""
        if self._go in (None, "next", "into", "operator") or (self._go == "finish" and boundary.opens):
            return "step", ""
        return None, ""

    def _wait_at(self, stop: Stop, reason: Reason, detail: str = "") -> None:
        if not self._armed:
            return
        self._asked_to_pause = False
        watched = watching.values(self._watches, stop.boundary)
        self._line.send(Stopped(replace(stop, reason=reason, detail=detail, watched=watched)))
        while self._armed:
            message = self._line.receive()
            if isinstance(message, Resume):
                self._go = message.until
                self._line.send(Resumed(stop.boundary.index, message.until))
                break
            self._obey(message)
            if isinstance(message, SetWatches):
                self._line.send(WatchesRead(watching.values(self._watches, stop.boundary)))

    # ------------------------------------------------------------ talking

    def _obey(self, message: ToRank) -> None:
        match message:
            case SetBreakpoints(breakpoints=breakpoints):
                self._breakpoints = breakpoints
            case SetWatches(watches=watches):
                self._watches = watches
            case Pause():
                self._asked_to_pause = True
            case Disarm():
                self._disarmed = True
            case Ask(number=number, query=query):
                if isinstance(query, Evaluate):
                    self.evaluated.append(query.source)
                self._line.send(Answer(number, self._replay.answer(query)))
            case Resume(until=until):
                self._go = until

    def _read_what_is_there(self) -> None:
        for message in self._line.pending():
            self._obey(message)


def _meets(breakpoint: Breakpoint, boundary: Boundary) -> bool:
    """Whether training stops for `breakpoint` at `boundary`."""
    opening = boundary.opens or boundary.update
    if breakpoint.phase is None:
        return breakpoint.update is not None and boundary.opens == breakpoint.update
    if breakpoint.when == "before":
        return boundary.next == breakpoint.phase and breakpoint.update in (None, opening)
    return boundary.done == breakpoint.phase and breakpoint.update in (None, boundary.update)
