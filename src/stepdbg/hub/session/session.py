"""The session: who is attached, what trains, where it stands, and what is to happen next. No sockets of its own."""

from __future__ import annotations

import logging
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from stepdbg.hub.breakpoints.table import MOST, BreakpointTable
from stepdbg.hub.launch import Launch
from stepdbg.hub.ranks.questions import Questions, refuse_all
from stepdbg.hub.ranks.rank import Peer, Rank, numbered
from stepdbg.hub.ranks.signals import interrupt, show_stacks, signal_processes
from stepdbg.hub.ranks.table import RankTable
from stepdbg.hub.session.clients import Client, Clients
from stepdbg.hub.session.notices import NOBODY_BORN, why_no_training
from stepdbg.hub.target.output import OutputTail
from stepdbg.hub.target.terminal import Target
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    AddBreakpoint,
    Answer,
    Ask,
    BreakpointHit,
    Disarm,
    FromClient,
    FromRank,
    Interrupt,
    Interruptible,
    Leave,
    Notice,
    Output,
    RankHello,
    RemoveBreakpoint,
    ResizeTerminal,
    Restart,
    Resumed,
    SendInput,
    SessionChanged,
    SessionState,
    SetBreakpoints,
    Severity,
    ShowStack,
    State,
    Steer,
    Stopped,
    SwitchBreakpoint,
    TargetExited,
    Traced,
    Welcome,
)

RUNNING_SECONDS = 0.03
"""A resumed process that stops again within this is never shown as running, which spares the terminal a repaint."""
GRACE_SECONDS = 0.7
"""After a process hangs up without a word, so long is waited for news of its exit before it is called lost."""
KILL_SECONDS = 3.0
"""From SIGTERM to SIGKILL."""
_log = logging.getLogger("stepdbg.hub")


class Session:
    """The state of one session, and its decisions.

    Args:
        folder: the session's.
        launch: what it runs.
        terminal: the target's terminal; None for a headless session.
        output: the log of that terminal.
        later: calls a function in so many seconds.
        end: ends the hub.
        run_again: has the target started anew; `begin` is called when it is about to be.
        state_changed: told of each new state.
    """

    def __init__(
        self,
        folder: Path,
        launch: Launch,
        terminal: Target | None,
        output: OutputTail,
        later: Callable[[float, Callable[[], None]], object],
        end: Callable[[], None],
        run_again: Callable[[], None],
        state_changed: Callable[[State], None] = lambda _: None,
    ) -> None:
        self.folder, self.launch = folder, launch
        self._later, self._end, self._run_again, self._state_changed = later, end, run_again, state_changed
        self._audience = Clients(later, self._state_to_tell, lambda: self._roll.anybody_runs)
        self.breakpoints = BreakpointTable(launch.breakpoints)
        self.run = 0
        self.size = (launch.columns, launch.rows)
        """Columns and rows of the target's terminal, as a screen has told last."""
        self.stopping = False
        self._abandoned = False
        self._said_goodbye = False
        self._shown: tuple[State, str] = ("starting", "")
        self._since = time.time()
        self.begin(terminal, output)

    def begin(self, terminal: Target | None, output: OutputTail) -> None:
        """The target is about to be started, for the first time or anew: nothing is known of this run yet."""
        self.terminal, self._output = terminal, output
        self.run += 1
        self._roll = RankTable(self.folder, self.launch.go)
        self._questions = Questions(readonly=self.launch.readonly)
        self.breakpoints.forget_hits()
        self.exit_status: int | None = None
        self.restarting = False
        self._keeper_gone = self._end_unknown = False
        self._breakpoints_hold = True
        self._doing = f"starting {self.launch.script}" + (" again" if self.run > 1 else "")
        self._changed()

    # ------------------------------------------------------------ what is known

    @property
    def screens(self) -> list[Client]:
        """The attached screens."""
        return self._audience.screens

    @property
    def ranks(self) -> dict[int, Rank]:
        """The training processes, by number."""
        return self._roll.ranks

    @property
    def state(self) -> State:
        """Of the session as a whole: what its most interesting rank is in."""
        if self.exit_status is not None or self._abandoned:
            return "exited"
        if self._end_unknown:
            return "lost"
        return self._roll.state

    def snapshot(self) -> SessionState:
        """What clients are told."""
        return SessionState(
            self.folder.name,
            self.launch.target,
            self.launch.script,
            self.state,
            self._doing if self.state == "starting" else "",
            self._since,
            tuple(self.ranks[number].snapshot() for number in sorted(self.ranks)),
            self.breakpoints.all,
            self._questions.journal,
            len(self.screens),
            self.exit_status,
            self.launch.readonly,
            self.launch.terminal,
            self.launch.cwd,
            self.launch.kept,
            self.run,
        )

    # ------------------------------------------------------------ clients

    def attach(self, client: Client) -> None:
        """Greet a client, and bring it up to now."""
        self.read_output()  # the others get it now, and this client with what is kept: after its welcome
        self._audience.clients.append(client)
        client.send(Welcome(PROTOCOL_VERSION, self.snapshot()))
        if client.role != "screen":
            return
        for rank in self._roll:
            for points in rank.all_losses():
                client.send(points)
        start, data = self._output.kept
        if data:
            client.send(Output(start, data))
        self._audience.catch_up(client)
        self._said_goodbye = False
        if not self._breakpoints_hold:
            self._breakpoints_hold = True
            self._send_breakpoints()
        if len(self.screens) > 1:
            self._audience.notify("a second screen is attached; both steer")
        self._changed()

    def detach(self, client: Client) -> None:
        """A client has gone. Without a `Leave` before, training stays as it was."""
        if client not in self._audience.clients:
            return
        self._audience.clients.remove(client)
        for rank in self._roll:
            if rank.evaluates_for(client):  # nobody is left to interrupt it, should it never end
                interrupt(rank)
            rank.forget_questions_of(client)
        if client.role == "launcher" and self.exit_status is None:
            self._abandon_if_empty()
        self._changed()
        self._end_if_over()

    def hear(self, client: Client, message: FromClient) -> None:
        """Do what a client says."""
        match message:
            case Ask():
                self._questions.ask(client, message, self.ranks.get(message.rank))
            case Steer(action=action, rank=number):
                self._steer(action, number)
            case AddBreakpoint(breakpoint=breakpoint):
                if self.breakpoints.add(breakpoint):
                    self._send_breakpoints()
                else:
                    client.send(Notice(f"a breakpoint needs a phase or an update; {MOST} are the most", "warning"))
            case SwitchBreakpoint(number=number, enabled=enabled):
                self.breakpoints.switch(number, enabled)
                self._send_breakpoints()
            case RemoveBreakpoint(number=number):
                self.breakpoints.remove(number)
                self._send_breakpoints()
            case SendInput(data=data):
                if self.terminal is not None:
                    self.terminal.type(data)
            case ResizeTerminal(columns=columns, rows=rows):
                self.size = (columns, rows)
                if self.terminal is not None:
                    self.terminal.resize(columns, rows)
            case ShowStack(rank=number):
                ranks = [rank for rank in self._roll if number in (None, rank.number)]
                if not show_stacks(self._roll.births, ranks):
                    client.send(Notice("no process of the target can show its stack just now", "warning"))
            case Restart():
                self.restart()
            case Interrupt(rank=number):
                if (rank := self.ranks.get(number)) is not None and not interrupt(rank):
                    client.send(
                        Notice("this process cannot be interrupted: it trains in a thread of its own", "warning")
                    )
            case Leave(how=how):
                self._leave(client, how)
            case TargetExited(status=status):
                self.target_exited(status)

    def _steer(self, action: str, number: int) -> None:
        if action == "pause" and not self.ranks:
            self._roll.go = None
        elif action == "continue" and self._roll.complete:  # a rank that is late stops first, as the others did
            self._roll.go = "continue"
        rank = self.ranks.get(number)
        if rank is not None and rank.steer(action):
            self._changed(RUNNING_SECONDS)

    def _leave(self, client: Client, how: str) -> None:
        if how == "stop":
            self.stop()
        others = [screen for screen in self.screens if screen is not client]
        if how == "go on" and not others:
            self.go_on()
        over = self.ranks and all(rank.at_end or rank.state in ("exited", "lost") for rank in self._roll)
        if not others and (over or self.exit_status is not None):
            self._said_goodbye = True
        self.detach(client)

    def go_on(self) -> None:
        """Nobody is to stop training from here on, unless a screen comes back."""
        if self._breakpoints_hold:
            self._breakpoints_hold = False
            self._roll.go = "continue"
            self._send_breakpoints()
        for rank in self._roll:
            rank.resume("continue")

    def notify(self, text: str, severity: Severity = "information") -> None:
        """Tell the user something."""
        self._audience.notify(text, severity)

    # ------------------------------------------------------------ training processes

    def born(self, process: object, birth: dict[str, Any]) -> None:
        """A Python process of the target has started."""
        self._roll.born(process, birth)

    def said(self, process: object, word: dict[str, Any]) -> None:
        """A line of JSON from a process."""
        if isinstance(birth := word.get("born"), dict):
            self.born(process, birth)
        elif "importing" in word:
            self._now_doing(f"importing {word['importing']}")
        elif "imported" in word:
            self._now_doing("waiting for the first phase")
        elif "failed" in word:
            self._roll.anybody_failed = True
            self._audience.notify(str(word["failed"]), "error")
        elif "exiting" in word:
            rank = self._roll.of(process)
            if rank is not None:
                rank.said_exiting = True

    def joined(self, peer: Peer, hello: RankHello) -> Rank:
        """A process has come to its first boundary.

        Raises:
            ValueError: its page is none.
            OSError: its page cannot be mapped.
        """
        rank = self._roll.joined(peer, hello)
        launch = self.launch
        rank.send(launch.welcome(self._roll.go, self._holding()))
        self._changed(RUNNING_SECONDS if launch.trace is None else 0)  # a traced process never stops at once
        return rank

    def heard(self, rank: Rank, message: FromRank) -> None:
        """A message from a training process."""
        match message:
            case Stopped(stop=stop):
                self._read_losses(rank)
                self.read_output()
                rank_goes_on = rank.stopped(numbered(stop, rank.number))
                if self.stopping or self.restarting:
                    rank.send(Disarm())
                    rank.state = "running"
                elif not self.screens and stop.reason in ("exit", "exception"):
                    rank.resume("continue")
                self._changed(RUNNING_SECONDS if rank_goes_on else 0)
            case Resumed(until=until):
                if rank.went_on(until):
                    self._changed()
            case Interruptible(signal=number):
                rank.interrupt_signal = number
            case BreakpointHit(number=number):
                self.breakpoints.hit(number)
            case Traced(boundary=boundary):
                boundary = msgspec.structs.replace(boundary, rank=rank.number)
                self._audience.tell_launchers(msgspec.structs.replace(message, boundary=boundary))
            case Notice(text=text, severity=severity):
                self._audience.notify(text, severity)
            case Answer():
                if self._questions.answered(rank, message):
                    self._changed()
            case _:
                _log.warning("rank %d said a second hello", rank.number)

    def gone(self, process: object) -> None:
        """A process has hung up."""
        rank = self._roll.gone(process)
        if rank is not None:
            self._rank_gone(rank)
        if not self.launch.terminal:
            self._later(GRACE_SECONDS, self._abandon_if_empty)

    def _rank_gone(self, rank: Rank) -> None:
        self._read_losses(rank)
        rank.peer = None
        refuse_all(rank)
        if (rank.at_end and rank.state != "paused") or self.exit_status is not None:
            rank.state = "exited"
            self._changed()
        else:
            self._later(GRACE_SECONDS, lambda: self._judge(rank))

    def _judge(self, rank: Rank) -> None:
        """Whether a rank that hung up without a word has ended or is lost."""
        if rank.state in ("exited", "lost"):
            return
        lost = self.exit_status is None and rank.is_alive()
        rank.state = "lost" if lost else "exited"
        if lost:
            self._audience.notify(f"the connection to process {rank.hello.pid} is lost; it goes on undebugged", "error")
        self._changed()

    # ------------------------------------------------------------ the target

    def target_exited(self, status: int) -> None:
        """The target has ended with this status; negative for a signal."""
        if self.exit_status is not None:
            return
        self.read_output()
        self.exit_status = status
        for rank in self._roll:
            self._read_losses(rank)
            if rank.state != "lost":
                rank.state = "exited"
        if self.restarting:
            self._run_again()
            return
        if not self.ranks and not self.stopping and not self._roll.anybody_failed:
            why = why_no_training(self.launch.script, status, born=self._roll.anybody_born)
            self._audience.notify(why, "warning", screens_only=status != 0)  # who fails says why on the same stderr
        self._changed()
        self._end_if_over()

    def target_cannot_start(self, why: str) -> None:
        """The target could not be executed."""
        self._roll.anybody_born = True
        self._audience.notify(f"cannot run {why}", "error")
        self.exit_status = 127
        self._changed()
        self._end_if_over()

    def keeper_lost(self, *, adopted: bool = False) -> None:
        """The keeper has died, and the target goes on; unless it was `adopted` nobody will tell how it ends."""
        if self.exit_status is None:
            self._keeper_gone, self._end_unknown = True, not adopted
            self._audience.notify(
                "the keeper of the script's terminal is gone; training goes on, and takes no more input", "error"
            )
            self._changed()

    def remark_on_silence(self) -> None:
        """Called some seconds after the start."""
        if not self._roll.anybody_born and self.exit_status is None:
            self._audience.notify(NOBODY_BORN, "warning", screens_only=True)  # it may come yet

    def stop(self) -> None:
        """End the target, kindly at first, then the session."""
        self.stopping = True
        if self.exit_status is not None or self._abandoned:
            self._end_if_over()
            return
        self._end_target(self._end)

    def restart(self) -> None:
        """End the target, if it has not ended, and have it run again."""
        if self.terminal is None or self.restarting or self.stopping:
            return
        self.restarting = True
        if self.exit_status is not None:
            self._run_again()
            return
        self._end_target(self._run_again)

    def _end_target(self, at_last: Callable[[], None]) -> None:
        """End the target, kindly at first; what is to be done `at_last`, where nobody tells that it has ended."""
        self._signal_target(signal.SIGTERM)
        for rank in self._roll:
            if rank.state == "paused":
                self._later(KILL_SECONDS / 2, lambda rank=rank: rank.send(Disarm()))  # type: ignore[misc]
        run = self.run
        self._later(KILL_SECONDS, lambda: self._signal_target(signal.SIGKILL) if self.run == run else None)
        self._later(KILL_SECONDS + 1, lambda: at_last() if self.run == run else None)

    def _signal_target(self, number: int) -> None:
        if self.exit_status is not None:
            return
        if self.terminal is not None and not self._keeper_gone:
            self.terminal.signal(number)
            if number == signal.SIGKILL:  # torchrun, killed, leaves its ranks, which have sessions of their own
                signal_processes([birth.get("pid") for birth in self._roll.births], number)
            return
        launchers = [client.pid for client in self._audience.clients if client.role == "launcher" and client.pid]
        if number == signal.SIGTERM and launchers:
            signal_processes(launchers, number)
        else:
            signal_processes([birth.get("pid") for birth in self._roll.births], number)

    # ------------------------------------------------------------ five times a second

    def tick(self) -> None:
        """Read what running processes have left on their pages, and pass it on."""
        for rank in self._roll:
            if rank.state == "running" and rank.peer is not None:
                self._read_losses(rank)
                if self.screens and not rank.at_end and rank.page.status().phase:
                    self._audience.tell_screens(rank.progress())

    def read_output(self) -> None:
        """Pass on what the target has written."""
        for start, data in self._output.read():
            self._audience.tell_screens(Output(start, data))

    def take_output(self, data: bytes, problem: str) -> None:
        """What the target has written and the log could not take."""
        pieces, remark = self._output.take(data, problem)
        for start, piece in pieces:
            self._audience.tell_screens(Output(start, piece))
        if remark:
            self._audience.notify(remark, "warning")

    # ------------------------------------------------------------ within

    def _holding(self) -> tuple[Any, ...]:
        return self.breakpoints.all if self._breakpoints_hold else ()

    def _send_breakpoints(self) -> None:
        for rank in self._roll:
            rank.send(SetBreakpoints(self._holding()))
        self._changed()

    def _read_losses(self, rank: Rank) -> None:
        for points in rank.new_losses():
            self._audience.tell_screens(points)

    def _now_doing(self, doing: str) -> None:
        self._doing = doing
        self._changed()

    def _changed(self, seconds: float = 0.0) -> None:
        self._audience.changed(seconds)

    def _state_to_tell(self) -> SessionChanged:
        shown = (self.state, self._doing)
        if shown != self._shown:
            if shown[0] != self._shown[0]:
                self._state_changed(shown[0])
            self._shown, self._since = shown, time.time()
        return SessionChanged(self.snapshot())

    def _abandon_if_empty(self) -> None:
        """A headless session whose launcher has gone is over when its last process is."""
        launcher = any(client.role == "launcher" for client in self._audience.clients)
        if not self.launch.terminal and not launcher and not self._roll.births and self.exit_status is None:
            self._abandoned = True
            self._changed()
            self._end_if_over()

    def _end_if_over(self) -> None:
        over = self.exit_status is not None or self._abandoned
        wanted = bool(self.screens) or (self.launch.terminal and not self._said_goodbye)
        if over and (self.stopping or not wanted):
            self._end()
