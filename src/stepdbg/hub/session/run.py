"""A run of the target: its terminal, its processes and what they say, how it ends. A restart begins another."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from stepdbg.hub.breakpoints.early import leave_word
from stepdbg.hub.breakpoints.table import BreakpointTable
from stepdbg.hub.launch import Launch
from stepdbg.hub.ranks.questions import Questions, refuse_all
from stepdbg.hub.ranks.rank import Peer, Rank, numbered
from stepdbg.hub.ranks.replicas import Replicas
from stepdbg.hub.ranks.signals import interrupt, signal_processes
from stepdbg.hub.ranks.table import RankTable
from stepdbg.hub.session.clients import Clients
from stepdbg.hub.session.notices import NOBODY_BORN, misplaced, why_no_training
from stepdbg.hub.target.output import OutputTail
from stepdbg.hub.target.terminal import Target
from stepdbg.hub.watches.table import WatchTable
from stepdbg.protocol.breakpoint_text import describe
from stepdbg.protocol.messages import (
    Answer,
    BreakpointFailed,
    BreakpointHit,
    BreakpointRemark,
    Checked,
    Disarm,
    Finding,
    FindingMet,
    FromRank,
    Interruptible,
    Noted,
    Notice,
    Output,
    RankHello,
    ReplicaStepped,
    Resumed,
    SetBreakpoints,
    SetWatches,
    State,
    Stopped,
    Traced,
    WatchesRead,
    WatchFailed,
    WatchPoints,
)

RUNNING_SECONDS = 0.03
"""A resumed process that stops again within this is never shown as running, which spares the terminal a repaint."""
GRACE_SECONDS = 0.7
"""After a process hangs up without a word, so long is waited for news of its exit before it is called lost."""
CONDITION_NS = 2_000_000_000
"""A breakpoint's condition that is evaluated for longer than this is interrupted."""
_log = logging.getLogger("stepdbg.hub")


class Run:
    """A run of the target, from just before it is started.

    Args:
        number: counts the runs of the session, from 1.
        folder: the session's.
        launch: what is run.
        terminal: the target's terminal; None for a headless session.
        output: the log of that terminal.
        clients: those who are told what happens.
        breakpoints: the session's.
        watches: the session's.
        later: calls a function in so many seconds.
        over: called when the run is over.
    """

    def __init__(
        self,
        number: int,
        folder: Path,
        launch: Launch,
        terminal: Target | None,
        output: OutputTail,
        clients: Clients,
        breakpoints: BreakpointTable,
        watches: WatchTable,
        later: Callable[[float, Callable[[], None]], object],
        over: Callable[[], None],
    ) -> None:
        self.number, self.terminal, self.output = number, terminal, output
        self._launch, self._clients, self._breakpoints, self._watches = launch, clients, breakpoints, watches
        self._later, self._over = later, over
        self.ranks = RankTable(folder, launch.go)
        self.questions = Questions(readonly=launch.readonly)
        self.exit_status: int | None = None
        """The target's; None while it runs, or where nobody tells."""
        self.is_being_ended = False
        """Whether the target has been asked to end: no rank waits for anybody any more."""
        self.doing = f"starting {launch.script}" + (" again" if number > 1 else "")
        """What is done until the first boundary."""
        self._found: dict[object, Finding] = {}
        """What the rules have found, by what tells it from other findings."""
        self._replicas = Replicas((launch.trace.rules if launch.trace is not None else None) or ())
        self._abandoned = self._keeper_gone = self._end_unknown = False
        self._folder = folder
        self._breakpoints_hold = True
        leave_word(folder, self._breakpoints_in_force())

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What the rules have found, in the order in which it was met."""
        return tuple(self._found.values())

    @property
    def is_over(self) -> bool:
        """Whether nothing of the run is left."""
        return self.exit_status is not None or self._abandoned

    @property
    def state(self) -> State:
        """The state of the run as a whole: that of its most interesting rank."""
        if self.is_over:
            return "exited"
        return "lost" if self._end_unknown else self.ranks.state

    # ------------------------------------------------------------ what processes say

    def said(self, process: object, word: dict[str, Any]) -> None:
        """A line of JSON from a process."""
        if isinstance(birth := word.get("born"), dict):
            self.ranks.born(process, birth)
        elif "importing" in word:
            self._now_doing(f"importing {word['importing']}")
        elif "imported" in word:
            self._now_doing("waiting for the first phase")
        elif "failed" in word:
            self.ranks.anybody_failed = True
            self._clients.notify(str(word["failed"]), "error")
        elif "exiting" in word:
            rank = self.ranks.of(process)
            if rank is not None:
                rank.said_exiting = True

    def joined(self, peer: Peer, hello: RankHello) -> Rank:
        """A process has come to its first boundary.

        Raises:
            ValueError: its page is none.
            OSError: its page cannot be mapped.
        """
        rank = self.ranks.joined(peer, hello)
        self._note_ranks()
        launch = self._launch
        rank.send(launch.welcome(self.ranks.go, self._breakpoints_in_force(), self._watches.all))
        self._clients.changed(RUNNING_SECONDS if launch.trace is None else 0)  # a traced process never stops at once
        return rank

    def heard(self, rank: Rank, message: FromRank) -> None:
        """A message from a training process."""
        clients = self._clients
        match message:
            case Stopped(stop=stop):
                self._pass_on_losses(rank)
                self.pass_on_output()
                self._breakpoints.note_unmet(stop.unmet, rank.number)
                rank_goes_on = rank.stopped(numbered(stop, rank.number))
                if self.is_being_ended:
                    rank.send(Disarm())
                    rank.state = "running"
                elif not clients.screens and stop.reason in ("exit", "exception"):
                    rank.resume("continue")
                clients.changed(RUNNING_SECONDS if rank_goes_on else 0)
            case Resumed(until=until):
                if rank.went_on(until):
                    clients.changed()
            case Interruptible(signal=number):
                rank.interrupt_signal = number
            case BreakpointHit(number=number, stopped=stopped):
                before = len(self._breakpoints.all)
                self._breakpoints.hit(number, stopped=stopped)
                if len(self._breakpoints.all) != before:
                    self.send_breakpoints()
                elif not stopped:
                    clients.changed(RUNNING_SECONDS)
            case BreakpointFailed(number=number, problem=problem, off=off):
                self._breakpoints.note_problem(number, problem)
                if off:
                    self._breakpoints.switch(number, False)
                    self.send_breakpoints()
                clients.changed()
            case BreakpointRemark(number=number, remark=remark):
                self._breakpoints.note_remark(number, remark)
                clients.changed()
            case WatchesRead(values=values):
                rank.read_watches(values)
                clients.changed()
            case WatchFailed(number=number, problem=problem, off=off):
                self._watches.failed(number, problem, off=off)
                if off:
                    self.send_watches()
                clients.changed()
            case Noted(boundary=boundary):
                boundary = msgspec.structs.replace(boundary, rank=rank.number)
                clients.note(msgspec.structs.replace(message, boundary=boundary))
            case Traced(boundary=boundary):
                boundary = msgspec.structs.replace(boundary, rank=rank.number)
                clients.tell_launchers(msgspec.structs.replace(message, boundary=boundary))
            case FindingMet(finding=finding):
                self._found[rank.number, *finding.key] = finding = msgspec.structs.replace(finding, rank=rank.number)
                clients.tell_launchers(FindingMet(finding))
                clients.changed(RUNNING_SECONDS)
            case ReplicaStepped():
                for finding in self._replicas.note(rank.number, message, rank.hello.world):
                    self.heard(rank, FindingMet(finding))
            case Checked():
                right = (*message.right, *self._replicas.right)
                clients.tell_launchers(msgspec.structs.replace(message, rank=rank.number, right=right))
            case Notice(text=text, severity=severity):
                clients.notify(text, severity)
            case Answer():
                if self.questions.answered(rank, message):
                    clients.changed()
            case _:
                _log.warning("rank %d said a second hello", rank.number)

    def gone(self, process: object) -> None:
        """A process has hung up."""
        rank = self.ranks.gone(process)
        if rank is not None:
            self._rank_gone(rank)
        if not self._launch.terminal:
            self._later(GRACE_SECONDS, self.abandon_if_empty)

    def _rank_gone(self, rank: Rank) -> None:
        self._pass_on_losses(rank)
        rank.peer = None
        refuse_all(rank)
        if (rank.at_end and rank.state != "paused") or self.exit_status is not None:
            rank.state = "exited"
            self._clients.changed()
        else:
            self._later(GRACE_SECONDS, lambda: self._judge(rank))

    def _judge(self, rank: Rank) -> None:
        """Whether a rank that hung up without a word has ended or is lost."""
        if rank.state in ("exited", "lost"):
            return
        lost = self.exit_status is None and rank.is_alive()
        rank.state = "lost" if lost else "exited"
        if lost:
            self._clients.notify(f"the connection to process {rank.hello.pid} is lost; it goes on undebugged", "error")
        self._clients.changed()

    def _now_doing(self, doing: str) -> None:
        self.doing = doing
        self._clients.changed()

    # ------------------------------------------------------------ what processes are told

    def _breakpoints_in_force(self) -> tuple[Any, ...]:
        return self._breakpoints.all if self._breakpoints_hold else ()

    def send_breakpoints(self) -> None:
        """Send every rank the breakpoints that are in force, and leave word of them for those yet to come."""
        self._note_ranks()
        leave_word(self._folder, self._breakpoints_in_force())
        for rank in self.ranks:
            rank.send(SetBreakpoints(self._breakpoints_in_force()))
        self._clients.changed()

    def _note_ranks(self) -> None:
        """Have it said of breakpoints that they are of a rank that there is not: nobody else would."""
        for point in self._breakpoints.note_ranks(self.ranks.ranks, self.ranks.world):
            told = f"{describe(point)}: {point.problem}"
            self._clients.notify(told, "warning", screens_only=True)  # a launcher tells of each new problem by itself

    def send_watches(self) -> None:
        """Send every rank the watches."""
        for rank in self.ranks:
            rank.watched.keep_only(watch.number for watch in self._watches.all)
            rank.send(SetWatches(self._watches.all))
        self._clients.changed()

    def hold_breakpoints(self) -> None:
        """Breakpoints stop training again, where `go_on` has put them out of force."""
        if not self._breakpoints_hold:
            self._breakpoints_hold = True
            self.send_breakpoints()

    def go_on(self) -> None:
        """Nobody is to stop training from here on, unless a screen comes back."""
        if self._breakpoints_hold:
            self._breakpoints_hold = False
            self.ranks.go = "continue"
            self.send_breakpoints()
        for rank in self.ranks:
            rank.resume("continue")

    # ------------------------------------------------------------ what clients are told

    def tick(self) -> None:
        """Five times a second: read what running processes have left on their pages, and pass it on."""
        clients = self._clients
        for rank in self.ranks:
            if rank.peer is not None and rank.state in ("running", "paused"):  # an expression may be tried at a stop
                since = rank.page.evaluating_since()
                if since and time.monotonic_ns() - since > CONDITION_NS:
                    interrupt(rank)
            if rank.state == "running" and rank.peer is not None:
                self._pass_on_losses(rank)
                if clients.screens and not rank.at_end and rank.page.status().phase:
                    clients.tell_screens(rank.progress())

    def pass_on_output(self) -> None:
        """Send what the target has written to the screens."""
        for start, data in self.output.read():
            self._clients.tell_screens(Output(start, data))

    def take_output(self, data: bytes, problem: str) -> None:
        """What the target has written and the log could not take."""
        pieces, remark = self.output.take(data, problem)
        for start, piece in pieces:
            self._clients.tell_screens(Output(start, piece))
        if remark:
            self._clients.notify(remark, "warning")

    def remark_on_silence(self) -> None:
        """Called some seconds after the start."""
        if not self.ranks.anybody_born and self.exit_status is None:
            self._clients.notify(NOBODY_BORN, "warning", screens_only=True)  # it may come yet

    def _pass_on_losses(self, rank: Rank) -> None:
        for points in rank.new_losses():
            self._clients.tell_screens(points)
            if isinstance(points, WatchPoints):
                self._clients.tell_launchers(points)

    # ------------------------------------------------------------ the end

    def exited(self, status: int) -> None:
        """The target has ended with this status; negative for a signal."""
        if self.exit_status is not None:
            return
        self.pass_on_output()
        self.exit_status = status
        for rank in self.ranks:
            self._pass_on_losses(rank)
            if rank.state != "lost":
                rank.state = "exited"
        if not self.ranks.ranks and not self.is_being_ended and not self.ranks.anybody_failed:
            why = why_no_training(self._launch.script, status, born=self.ranks.anybody_born)
            if hint := misplaced(status, self._launch.argv):
                self._clients.notify(hint, "warning")
            self._clients.notify(why, "warning", screens_only=status != 0)  # who fails says why on the same stderr
        self._over()

    def cannot_start(self, why: str) -> None:
        """The target could not be executed."""
        self.ranks.anybody_born = True
        self._clients.notify(f"cannot run {why}", "error")
        self.exit_status = 127
        self._over()

    def keeper_lost(self, *, adopted: bool = False) -> None:
        """The keeper has died, and the target goes on; unless it was `adopted` nobody will tell how it ends."""
        if self.exit_status is None:
            self._keeper_gone, self._end_unknown = True, not adopted
            self._clients.notify(
                "the keeper of the script's terminal is gone; training goes on, and takes no more input", "error"
            )
            self._clients.changed()

    def abandon_if_empty(self) -> None:
        """A headless run whose launcher has gone is over when its last process is."""
        launcher = any(client.role == "launcher" for client in self._clients.clients)
        if not self._launch.terminal and not launcher and not self.ranks.births and self.exit_status is None:
            self._abandoned = True
            self._over()

    def signal(self, number: int) -> None:
        """Send the target that signal, unless it has ended."""
        if self.exit_status is not None:
            return
        if self.terminal is not None and not self._keeper_gone:
            self.terminal.signal(number)
            if number == signal.SIGKILL:  # torchrun, killed, leaves its ranks, which have sessions of their own
                signal_processes([birth.get("pid") for birth in self.ranks.births], number)
            return
        launchers = [client.pid for client in self._clients.clients if client.role == "launcher" and client.pid]
        if number == signal.SIGTERM and launchers:
            signal_processes(launchers, number)
        else:
            signal_processes([birth.get("pid") for birth in self.ranks.births], number)
