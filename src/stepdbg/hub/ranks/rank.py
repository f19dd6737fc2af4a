"""What the hub knows of one training process, and how it talks to it."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from stepdbg.hub.history.answers import AnswerHistory
from stepdbg.hub.history.timeline import LossHistory, Timeline
from stepdbg.hub.history.watches import WatchHistory
from stepdbg.hub.pace import Pace
from stepdbg.protocol.messages import (
    Answer,
    Evaluate,
    Go,
    LossPoint,
    LossPoints,
    Pause,
    Progress,
    Query,
    RankHello,
    RankState,
    Resume,
    State,
    Stop,
    ToRank,
    WatchPoint,
    WatchPoints,
    WatchValue,
)
from stepdbg.protocol.page import LOSS_NAMES, WATCHES, Page


class Peer(Protocol):
    """The socket of a training process."""

    def send(self, message: ToRank) -> None: ...

    def close(self) -> None: ...


class Asker(Protocol):
    """Whoever awaits an answer."""

    def send(self, message: Answer) -> None: ...


class Asked(NamedTuple):
    """A question under way."""

    asker: Asker
    number: int
    """The asker's own number for it."""
    query: Query
    boundary: int
    """The index of the boundary at which training waits."""


class Rank:
    """A training process: its state, its stop, its past."""

    def __init__(self, number: int, hello: RankHello, peer: Peer, page: Page) -> None:
        self.number, self.hello, self.page = number, hello, page
        self.peer: Peer | None = peer
        self.state: State = "running"
        self.stop: Stop | None = None
        self.timeline = Timeline()
        self.losses = LossHistory()
        self.watches = LossHistory()
        """The values of `stepdbg.watch`."""
        self.watched = WatchHistory()
        """What the user's watches gave."""
        self.said_exiting = False
        self.recollection = AnswerHistory()
        self.asked: dict[int, Asked] = {}
        """The questions under way, by their numbers."""
        self.interrupt_signal = 0
        """What interrupts an `Evaluate`; 0 until the process has said it."""
        self.edits: dict[int, int] = {}
        """The number in the session's journal of each edit that this process has numbered."""
        self._queued: Go | None = None
        self._until: Go | None = None
        self._sequence = 0
        self._pace = Pace()
        self._pausing = False

    @property
    def at_end(self) -> bool:
        """Whether it has come to the end of its script, by itself or by an exception."""
        return self.said_exiting or (self.stop is not None and self.stop.reason in ("exit", "exception"))

    def snapshot(self) -> RankState:
        """What clients are told."""
        hello, pausing = self.hello, self._pausing and self.state == "running"
        return RankState(
            self.number,
            hello.pid,
            self.state,
            self.stop,
            self.losses.names,
            hello.torch,
            hello.python,
            pausing,
            hello.world,
        )

    def send(self, message: ToRank) -> None:
        """Send to a stopped process, which listens, or to a running one, for which the bell is rung."""
        if self.peer is None:
            return
        self.peer.send(message)
        if self.state == "running":
            self.page.ring_bell()

    def steer(self, action: str) -> bool:
        """Obey a key. Whether there is something to tell at once.

        One key that is typed ahead of the stop before it is remembered, and no more: a key that is held down must not
        run on after it was let go.
        """
        if action == "pause":
            self._queued = None
            if self.state == "running":
                self.send(Pause())
                self._pausing = True
            return self._pausing
        until: Go = action if action in ("into", "operator", "finish", "continue") else "next"  # type: ignore[assignment]
        if self.state == "running" and self._until not in (None, "continue"):
            self._queued = until
            return False
        return self.resume(until)

    def resume(self, until: Go) -> bool:
        """Let it go on, if it waits."""
        if self.state != "paused":
            return False
        self.send(Resume(until))
        self.state, self._until = "running", until
        self._pace, self._pausing = Pace(), False
        return True

    def went_on(self, until: Go) -> bool:
        """The process has gone on. True where it did so by itself, since it was asked to end."""
        if self.state != "paused":
            return False
        self.state, self._until = "running", until
        self._pace, self._pausing = Pace(), False
        return True

    def stopped(self, stop: Stop) -> bool:
        """The process waits at `stop`. True where a step typed ahead lets it go on from there at once."""
        self.state, self.stop, self._pausing = "paused", stop, False
        self.timeline.append(stop)
        queued, self._queued = self._queued, None
        return queued is not None and stop.reason == "step" and self.resume(queued)

    def evaluates_for(self, asker: object) -> bool:
        """Whether it runs Python that this one has typed."""
        return any(asked.asker is asker and isinstance(asked.query, Evaluate) for asked in self.asked.values())

    def forget_questions_of(self, asker: object) -> None:
        """Answers to somebody who has gone go nowhere."""
        self.asked = {number: asked for number, asked in self.asked.items() if asked.asker is not asker}

    def read_watches(self, values: tuple[WatchValue, ...]) -> None:
        """The watches, or what they read, were changed where the process waits: this is what they give there now."""
        if self.state == "paused" and self.stop is not None:
            self.stop = msgspec.structs.replace(self.stop, watched=values)
            self.timeline.amend(self.stop)

    def new_losses(self) -> list[LossPoints | WatchPoints]:
        """What has been added to the page's ring since the last look: losses, watched values, and values of watches."""
        self._sequence, entries = self.page.losses_since(self._sequence)
        self.losses.names, self.watches.names = self.page.loss_names(), self.page.watch_names()
        found: list[LossPoints | WatchPoints] = []
        for history, first, watched in ((self.losses, 0, False), (self.watches, LOSS_NAMES, True)):
            last = max(0, len(history.names) - 1)
            points = [
                LossPoint(update, min(index - first, last), value)
                for update, index, value in entries
                if index < WATCHES and (index >= LOSS_NAMES) == watched
            ]
            if points:
                history.extend(points)
                found.append(LossPoints(self.number, history.names, tuple(points), watched))
        values = [WatchPoint(update, index - WATCHES, value) for update, index, value in entries if index >= WATCHES]
        if values:
            self.watched.extend(values)
            found.append(WatchPoints(self.number, tuple(values)))
        return found

    def all_losses(self) -> list[LossPoints | WatchPoints]:
        """The losses, the watched values and those of watches so far."""
        found: list[LossPoints | WatchPoints] = [
            LossPoints(self.number, history.names, tuple(history.points), watched)
            for history, watched in ((self.losses, False), (self.watches, True))
            if history.points
        ]
        if points := self.watched.points:
            found.append(WatchPoints(self.number, points))
        return found

    def progress(self) -> Progress:
        """The phase and update that the process is in just now, read off its page."""
        status = self.page.status()
        return Progress(
            self.number,
            status.phase,
            max(0.0, (time.monotonic_ns() - status.since_ns) / 1e9) if status.since_ns else 0.0,
            status.update,
            status.epoch,
            status.loss if status.loss == status.loss else None,
            self._pace.seen(status.update, time.monotonic()),
        )

    def is_alive(self) -> bool:
        """Whether its process is there still, and not only waits to be reaped."""
        with contextlib.suppress(OSError, IndexError):  # there is no /proc on macOS
            fields = Path(f"/proc/{self.hello.pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
            if fields[0] in ("Z", "X"):
                return False
        try:
            os.kill(self.hello.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


def open_page(folder: Path, name: str) -> Page:
    """The shared page of that file name in the session's folder.

    Raises:
        ValueError: it is no page, or lies elsewhere.
        OSError: it cannot be mapped.
    """
    if Path(name).name != name or not name.startswith("page-"):
        raise ValueError(f"{name!r} is no name of a shared page")
    page = Page(folder / name)
    with contextlib.suppress(OSError):
        page.status()
    return page


def numbered(stop: Stop, rank: int) -> Stop:
    """The stop under the number that the rank has here, which is not its own where two call themselves the same."""
    if stop.boundary.rank == rank:
        return stop
    return msgspec.structs.replace(stop, boundary=msgspec.structs.replace(stop.boundary, rank=rank))
