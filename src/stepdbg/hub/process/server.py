"""The hub as a process: its sockets, its clock, the keeper, and its end."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import logging
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

from stepdbg.errors import ProtocolError
from stepdbg.hub.launch import read_launch, target_variables
from stepdbg.hub.process.connections import (
    MOST_UNHEARD,
    MOST_UNREAD,
    ClientLink,
    Link,
    ProcessDecoder,
    ProcessLink,
    decoded,
    is_ours,
)
from stepdbg.hub.process.session_file import SessionFile, write_session_file
from stepdbg.hub.process.trace_flow import QUIET_SECONDS, TraceFlow
from stepdbg.hub.session.session import Session
from stepdbg.hub.target.orphans import Orphans
from stepdbg.hub.target.output import OutputTail
from stepdbg.hub.target.terminal import Terminal
from stepdbg.protocol import frames
from stepdbg.protocol.messages import (
    PROTOCOL_VERSION,
    ClientHello,
    FromClient,
    Notice,
    RankHello,
    State,
    TargetExited,
    version_refused,
)
from stepdbg.protocol.runtime_folder import OUTPUT_LOG, RANK_SOCKET

TICK_SECONDS = 0.2
HELLO_SECONDS = 10.0
SILENCE_SECONDS = 10.0
"""After so long without a word from the target's processes the user is told."""
LINGER_SECONDS = 24 * 3600.0
"""The time that an unattended session waits after its target's exit."""
MOST_CLIENTS = 64
LONGEST_HELLO = 4096
LONGEST_FROM_CLIENT = 4 * 1024 * 1024
"""Bytes: what is pasted for the script to read is the longest that a client has to say."""
_ROUNDS = 50
"""Rounds of the loop in which what waits at a listener is let in and read, many times over."""
_log = logging.getLogger("stepdbg.hub")


class Hub:
    """Serves one session until it ends.

    Args:
        folder: the session's; it holds `launch.json`, and goes when the session ends in good order.
        listener: the socket that clients connect to.
    """

    def __init__(self, folder: Path, listener: socket.socket) -> None:
        self.folder, self._listener = folder, listener
        self.launch = read_launch(folder)
        self._terminal = Terminal(self._keeper_says, self._keeper_gone) if self.launch.terminal else None
        self._output = OutputTail(folder / OUTPUT_LOG)
        self._started = time.time()
        self._ended = asyncio.Event()
        self._links: set[Link] = set()
        self._serving: set[asyncio.Task[None]] = set()
        self._hearing: set[asyncio.Task[None]] = set()
        """The tasks that listen, one for each process of the target that has not hung up."""
        self._exiting: asyncio.Task[None] | None = None
        """Has the exit told that the keeper has reported."""
        self._trace_flow = TraceFlow(self._links, self._hearing)
        self._orphans = Orphans()
        self.session = Session(
            folder,
            self.launch,
            self._terminal,
            self._output,
            self._later,
            self._ended.set,
            self._run_again,
            self._state_changed,
        )
        self._silence: asyncio.TimerHandle | None = None
        self._starting: asyncio.Task[None] | None = None

    async def serve(self) -> None:
        """Start the target and serve until the session is over; then remove its folder."""
        loop = asyncio.get_running_loop()
        self._write_session_file("starting")
        rank_listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        rank_listener.bind(str(self.folder / RANK_SOCKET))
        ranks = await asyncio.start_unix_server(self._serve_process, sock=rank_listener)
        clients = await asyncio.start_unix_server(self._serve_client, sock=self._listener)
        await self._start_target()
        ticking = loop.create_task(self._tick())
        try:
            await self._ended.wait()
        finally:
            if self._silence is not None:
                self._silence.cancel()
            if self._starting is not None:
                self._starting.cancel()
            ticking.cancel()
            clients.close()
            ranks.close()
            shutil.rmtree(self.folder, ignore_errors=True)  # before the clients hear of the end, and look
            for link in list(self._links):
                link.close()
            if self._serving:
                await asyncio.wait(self._serving, timeout=1.0)
            if self._terminal is not None:
                self._terminal.close()
            self._output.close()

    async def _start_target(self) -> None:
        """Start the keeper and through it the target, where the session has a terminal."""
        self._silence = asyncio.get_running_loop().call_later(SILENCE_SECONDS, self.session.run.remark_on_silence)
        if self._terminal is not None:
            launch = self.launch
            variables = target_variables(self.folder, dict(os.environ))
            await self._terminal.start(self.folder, launch.argv, launch.cwd, variables, *self.session.size)

    def _run_again(self) -> None:
        if self._starting is None or self._starting.done():
            self._starting = asyncio.get_running_loop().create_task(self._start_again())

    async def _start_again(self) -> None:
        """Let go of the run before, and start the target on a terminal and a log of its own."""
        if self._silence is not None:
            self._silence.cancel()
        for task in list(self._hearing):  # what outlives its run goes on undebugged
            task.cancel()
        if self._hearing:
            await asyncio.wait(list(self._hearing), timeout=1.0)
        if self._terminal is not None:
            self._terminal.close()
        self._output.close()
        for name in (OUTPUT_LOG, f"{OUTPUT_LOG}.1"):
            (self.folder / name).unlink(missing_ok=True)  # the old keeper may have its own open still
        self._terminal = Terminal(self._keeper_says, self._keeper_gone)
        self._output = OutputTail(self.folder / OUTPUT_LOG)
        self.session.begin(self._terminal, self._output)
        try:
            await self._start_target()
        except OSError as error:
            _log.exception("the keeper does not start")
            self.session.run.cannot_start(f"{self.launch.script}: {error.strerror}")

    def end(self) -> None:
        """End the session's hub; training goes on undebugged."""
        self._ended.set()

    # ------------------------------------------------------------ clients

    async def _serve_client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = ClientLink(writer, "a client")
        if not self._admit(link, writer):
            return
        if sum(isinstance(one, ClientLink) for one in self._links) > MOST_CLIENTS:
            link.send(Notice(f"{MOST_CLIENTS} clients are attached to {self.folder.name}, and no more can be", "error"))
            self._links.discard(link)
            link.close()
            return
        attached = False
        try:
            hello = await asyncio.wait_for(_from_client(reader, LONGEST_HELLO), HELLO_SECONDS)
            if not isinstance(hello, ClientHello):
                raise ProtocolError(f"a {type(hello).__name__} came before the hello")
            if hello.version != PROTOCOL_VERSION:
                link.send(Notice(version_refused(self.folder.name, hello.version), "error"))
                return
            link.role, link.name = hello.role, f"the {hello.role} {link.pid}"
            self.session.attach(link)
            attached = True
            while True:
                message = await _from_client(reader)
                if isinstance(message, ClientHello):
                    raise ProtocolError("a second hello")
                if isinstance(message, TargetExited):
                    await self._hear_births()
                    if self.launch.trace is not None:
                        await self._trace_flow.finish()
                self.session.hear(link, message)
                if any(one.unread > MOST_UNHEARD for one in self._links if isinstance(one, ProcessLink)):
                    raise ProtocolError("more than a process of the target can hear")
                self._relieve()
        except ProtocolError as error:
            _log.warning("%s: %s: connection ended", link.name, error)
        except TimeoutError:
            _log.warning("%s said no hello: connection ended", link.name)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            if attached:
                self.session.detach(link)
            self._links.discard(link)
            link.close()

    # ------------------------------------------------------------ training processes

    async def _serve_process(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = ProcessLink(writer, "a process")
        if not self._admit(link, writer):
            return
        link.name = f"process {link.pid}"
        decoder = ProcessDecoder()
        rank = None
        task = asyncio.current_task()
        assert task is not None
        self._hearing.add(task)
        task.add_done_callback(self._hearing.discard)
        try:
            data = await asyncio.wait_for(reader.read(1 << 18), HELLO_SECONDS)
            while data:
                for message in decoder.feed(data):
                    if isinstance(message, dict):
                        self.session.run.said(link, message)
                    elif rank is not None:
                        self.session.run.heard(rank, message)
                    elif not isinstance(message, RankHello):
                        raise ProtocolError(f"a {type(message).__name__} came before the hello")
                    elif message.version != PROTOCOL_VERSION:
                        self.session.notify(
                            f"the stepdbg that process {message.pid} imports is of another version; "
                            "it goes on undebugged",
                            "error",
                        )
                        return
                    else:
                        rank = self.session.run.joined(link, message)
                if self.launch.trace is not None:
                    await self._trace_flow.pass_on(writer, len(data))
                data = await reader.read(1 << 18)
        except TimeoutError:
            _log.warning("%s said nothing: connection ended", link.name)
        except (ProtocolError, ValueError) as error:
            _log.warning("%s: %s: connection ended", link.name, error)
        except OSError as error:
            _log.info("%s: %s", link.name, error)
        finally:
            self.session.run.gone(link)
            self._links.discard(link)
            link.close()

    def _relieve(self) -> None:
        """Cut off the clients that read least, where they let too much wait together."""
        clients = sorted((one for one in self._links if isinstance(one, ClientLink)), key=lambda one: one.unread)
        while clients and sum(one.unread for one in clients) > MOST_UNREAD:
            clients.pop().cut("does not read, and others do not either")

    def _admit(self, link: Link, writer: asyncio.StreamWriter) -> bool:
        if not is_ours(writer):
            _log.warning("a process of another user knocked: refused")
            link.close()
            return False
        self._links.add(link)
        task = asyncio.current_task()
        if task is not None:
            self._serving.add(task)
            task.add_done_callback(self._serving.discard)
        return True

    # ------------------------------------------------------------ the keeper, the clock, the session file

    def _keeper_says(self, message: dict[str, object]) -> None:
        if "wrote" in message:
            self.session.run.pass_on_output()
        elif isinstance(output := message.get("output"), str):
            self.session.run.take_output(base64.b64decode(output), str(message.get("problem")))
        elif isinstance(pid := message.get("started"), int):
            self._orphans.await_end(pid, self._target_ended_as_orphan)
        elif isinstance(status := message.get("exit"), int):
            self._exiting = asyncio.create_task(self._target_exited(status))
        elif "cannot" in message:
            self.session.run.cannot_start(str(message["cannot"]))

    def _keeper_gone(self) -> None:
        if self._exiting is None or self._exiting.done():
            self.session.run.keeper_lost(adopted=self._orphans.adopted)

    async def _target_exited(self, status: int) -> None:
        await self._hear_births()
        self.session.run.exited(status)

    async def _hear_births(self) -> None:
        """Let a process be heard that has ended as soon as it was born: it may still wait to be let in."""
        for _ in range(_ROUNDS):
            if self.session.run.ranks.anybody_born:
                return
            await asyncio.sleep(0)

    def _target_ended_as_orphan(self, status: int) -> None:
        """The target has outlived its keeper, and now has ended; what it wrote last is on its way into the log."""
        self._later(QUIET_SECONDS, lambda: self.session.run.exited(status))

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(TICK_SECONDS)
            try:
                self.session.run.tick()
                self._relieve()
                if not self.session.screens and not self.folder.exists():
                    self._be_lost()
                self.session.run.pass_on_output()
            except Exception:
                _log.exception("a tick failed")

    def _be_lost(self) -> None:
        """The session's folder is gone and no screen is there: nobody can come any more, and nobody wait for them."""
        if any(isinstance(link, ClientLink) for link in self._links):  # a launcher still wants to hear of the end
            self.session.run.go_on()
        else:
            _log.warning("the folder of the session is gone: training goes on undebugged")
            self.end()

    def _later(self, seconds: float, do: Callable[[], None]) -> object:
        return asyncio.get_running_loop().call_later(seconds, do)

    def _state_changed(self, state: State) -> None:
        self._write_session_file(state)
        if state == "exited":
            self._later(LINGER_SECONDS, self._end_if_unattended)

    def _end_if_unattended(self) -> None:
        if self.session.state != "exited":
            return  # it was run again
        if self.session.screens:
            self._later(LINGER_SECONDS, self._end_if_unattended)
        else:
            self.end()

    def _write_session_file(self, state: State) -> None:
        if self._ended.is_set():
            return
        session_file = SessionFile(
            self.folder.name,
            self.launch.target,
            self.launch.cwd,
            os.getpid(),
            self._started,
            state,
            self.launch.terminal,
        )
        try:
            write_session_file(self.folder, session_file)
        except OSError as error:  # the session goes on without
            _log.warning("cannot write the file of the session: %s", error)


async def _from_client(reader: asyncio.StreamReader, longest: int = LONGEST_FROM_CLIENT) -> FromClient:
    length = frames.body_length(await reader.readexactly(4))
    if length > longest:
        raise ProtocolError(f"a frame of {length:,} bytes, where {longest:,} are the most")
    message: FromClient = decoded("FromClient", await reader.readexactly(length))
    return message


async def run_hub(folder: Path, listener: socket.socket) -> None:
    """Serve the session of `folder`; a SIGTERM ends the hub in good order."""
    hub = Hub(folder, listener)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        with contextlib.suppress(ValueError, RuntimeError):
            loop.add_signal_handler(number, hub.end)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    await hub.serve()
