"""The session: who is attached, what they ask for, and what becomes of the run. No sockets of its own."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from stepdbg.hub.breakpoints.table import BreakpointTable
from stepdbg.hub.launch import Launch
from stepdbg.hub.ranks.rank import Rank
from stepdbg.hub.ranks.signals import interrupt, show_stacks
from stepdbg.hub.session.clients import Client, Clients
from stepdbg.hub.session.run import RUNNING_SECONDS, Run
from stepdbg.hub.target.output import OutputTail
from stepdbg.hub.target.terminal import Target
from stepdbg.hub.watches.table import WatchTable
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    AddBreakpoint,
    AddWatch,
    Ask,
    Disarm,
    FromClient,
    Interrupt,
    Leave,
    Notice,
    Output,
    RemoveBreakpoint,
    RemoveWatch,
    ResizeTerminal,
    Restart,
    SendInput,
    SessionChanged,
    SessionState,
    Severity,
    ShowStack,
    State,
    Steer,
    SwitchBreakpoint,
    SwitchWatch,
    TargetExited,
    Welcome,
)

KILL_SECONDS = 3.0
"""The time from SIGTERM to SIGKILL, in seconds."""


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
        self._clients = Clients(later, self._state_to_tell, lambda: self.run.ranks.anybody_runs)
        self.breakpoints = BreakpointTable(launch.breakpoints)
        self.watches = WatchTable(launch.watches)
        self.size = (launch.columns, launch.rows)
        """Columns and rows of the target's terminal, as a screen has told last."""
        self.stopping = self.restarting = False
        self._said_goodbye = False
        self._shown: tuple[State, str] = ("starting", "")
        self._since = time.time()
        self.run = self._new_run(1, terminal, output)
        self._clients.changed()

    def begin(self, terminal: Target | None, output: OutputTail) -> None:
        """The target is about to be started anew: nothing is known of this run yet."""
        self.restarting = False
        self.breakpoints.begin_anew()
        self.watches.begin_anew()
        self.run = self._new_run(self.run.number + 1, terminal, output)
        self.run.is_being_ended = self.stopping
        self._clients.changed()

    def _new_run(self, number: int, terminal: Target | None, output: OutputTail) -> Run:
        return Run(
            number,
            self.folder,
            self.launch,
            terminal,
            output,
            self._clients,
            self.breakpoints,
            self.watches,
            self._later,
            self._run_is_over,
        )

    # ------------------------------------------------------------ what is known

    @property
    def screens(self) -> list[Client]:
        """The attached screens."""
        return self._clients.screens

    @property
    def ranks(self) -> dict[int, Rank]:
        """The training processes, by number."""
        return self.run.ranks.ranks

    @property
    def state(self) -> State:
        """The state of the session as a whole."""
        return self.run.state

    def snapshot(self) -> SessionState:
        """What clients are told."""
        return SessionState(
            self.folder.name,
            self.launch.target,
            self.launch.script,
            self.state,
            self.run.doing if self.state == "starting" else "",
            self._since,
            tuple(self.ranks[number].snapshot() for number in sorted(self.ranks)),
            self.breakpoints.all,
            self.run.questions.journal,
            len(self.screens),
            self.run.exit_status,
            self.launch.readonly,
            self.launch.terminal,
            self.launch.cwd,
            self.launch.kept,
            self.run.number,
            self.watches.all,
            self.run.findings,
        )

    # ------------------------------------------------------------ clients

    def attach(self, client: Client) -> None:
        """Greet a client, and bring it up to now."""
        self.run.pass_on_output()  # the others get it now, and this client with what is kept: after its welcome
        self._clients.clients.append(client)
        client.send(Welcome(PROTOCOL_VERSION, self.snapshot()))
        if client.role != "screen":
            return
        for rank in self.run.ranks:
            for points in rank.all_losses():
                client.send(points)
        start, data = self.run.output.last_bytes
        if data:
            client.send(Output(start, data))
        self._clients.catch_up(client)
        self._said_goodbye = False
        self.run.hold_breakpoints()
        if len(self.screens) > 1:
            self._clients.notify("a second screen is attached; both steer")
        self._clients.changed()

    def detach(self, client: Client) -> None:
        """A client has gone. Without a `Leave` before, training stays as it was."""
        if client not in self._clients.clients:
            return
        self._clients.clients.remove(client)
        for rank in self.run.ranks:
            if rank.evaluates_for(client):  # nobody is left to interrupt it, should it never end
                interrupt(rank)
            rank.forget_questions_of(client)
        if client.role == "launcher":
            self.run.abandon_if_empty()
        self._clients.changed()
        self._end_if_over()

    def hear(self, client: Client, message: FromClient) -> None:
        """Do what a client says."""
        match message:
            case Ask():
                self.run.questions.ask(client, message, self.ranks.get(message.rank))
            case Steer(action=action, rank=number):
                self._steer(action, number)
            case AddBreakpoint(breakpoint=breakpoint):
                if why_not := self.breakpoints.add(breakpoint):
                    client.send(Notice(why_not, "warning"))
                else:
                    self.run.send_breakpoints()
            case SwitchBreakpoint(number=number, enabled=enabled):
                self.breakpoints.switch(number, enabled)
                self.run.send_breakpoints()
            case RemoveBreakpoint(number=number):
                self.breakpoints.remove(number)
                self.run.send_breakpoints()
            case AddWatch(expression=expression):
                if why_not := self.watches.add(expression):
                    client.send(Notice(why_not, "warning"))
                else:
                    self.run.send_watches()
            case SwitchWatch(number=number, enabled=enabled):
                self.watches.switch(number, enabled)
                self.run.send_watches()
            case RemoveWatch(number=number):
                self.watches.remove(number)
                self.run.send_watches()
            case SendInput(data=data):
                if self.run.terminal is not None:
                    self.run.terminal.type(data)
            case ResizeTerminal(columns=columns, rows=rows):
                self.size = (columns, rows)
                if self.run.terminal is not None:
                    self.run.terminal.resize(columns, rows)
            case ShowStack(rank=number):
                ranks = [rank for rank in self.run.ranks if number in (None, rank.number)]
                if not show_stacks(self.run.ranks.births, ranks):
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
                self.run.exited(status)

    def _steer(self, action: str, number: int) -> None:
        if action == "pause" and not self.ranks:
            self.run.ranks.go = None
        elif action == "continue" and self.run.ranks.complete:  # a rank that is late stops first, as the others did
            self.run.ranks.go = "continue"
        rank = self.ranks.get(number)
        if rank is not None and rank.steer(action):
            self._clients.changed(RUNNING_SECONDS)

    def _leave(self, client: Client, how: str) -> None:
        if how == "stop":
            self.stop()
        others = [screen for screen in self.screens if screen is not client]
        if how == "go on" and not others:
            self.run.go_on()
        over = self.ranks and all(rank.at_end or rank.state in ("exited", "lost") for rank in self.run.ranks)
        if not others and (over or self.run.exit_status is not None):
            self._said_goodbye = True
        self.detach(client)

    def notify(self, text: str, severity: Severity = "information") -> None:
        """Tell the user something."""
        self._clients.notify(text, severity)

    # ------------------------------------------------------------ the end of a run

    def stop(self) -> None:
        """End the target, kindly at first, then the session."""
        self.stopping = self.run.is_being_ended = True
        if self.run.is_over:
            self._end_if_over()
        else:
            self._end_target(self._end)

    def restart(self) -> None:
        """End the target, if it has not ended, and have it run again."""
        if self.run.terminal is None or self.restarting or self.stopping:
            return
        self.restarting = self.run.is_being_ended = True
        if self.run.is_over:
            self._run_again()
        else:
            self._end_target(self._run_again)

    def _end_target(self, at_last: Callable[[], None]) -> None:
        """End the target, kindly at first; what is to be done `at_last`, where nobody tells that it has ended."""
        run = self.run
        run.signal(signal.SIGTERM)
        for rank in run.ranks:
            if rank.state == "paused":
                self._later(KILL_SECONDS / 2, partial(rank.send, Disarm()))
        self._later(KILL_SECONDS, lambda: run.signal(signal.SIGKILL) if self.run is run else None)
        self._later(KILL_SECONDS + 1, lambda: at_last() if self.run is run else None)

    def _run_is_over(self) -> None:
        if self.restarting:
            self._run_again()
            return
        self._clients.changed()
        self._end_if_over()

    def _state_to_tell(self) -> SessionChanged:
        shown = (self.state, self.run.doing)
        if shown != self._shown:
            if shown[0] != self._shown[0]:
                self._state_changed(shown[0])
            self._shown, self._since = shown, time.time()
        return SessionChanged(self.snapshot())

    def _end_if_over(self) -> None:
        wanted = bool(self.screens) or (self.launch.terminal and not self._said_goodbye)
        if self.run.is_over and (self.stopping or not wanted):
            self._end()
