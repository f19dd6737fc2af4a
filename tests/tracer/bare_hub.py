"""The smallest hub there can be: one real training process, driven from a test over its real socket."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
from harness import warm
from harness.deadline import deadline

import stepdbg
from stepdbg.hub.breakpoints.early import leave_word
from stepdbg.protocol import frames
from stepdbg.protocol import messages as m

INJECT = Path(stepdbg.__file__).parent / "tracer" / "inject"
DEADLINE = deadline(60)
"""Seconds that a program may take to its first message, and to end."""
COMPILING = deadline(150)
"""The longest that a whole program, or what it does up to its next message, may take: inductor compiles, and others use
the machine."""


class Debuggee:
    """A training process under the tracer."""

    def __init__(
        self,
        arguments: list[str],
        folder: Path,
        go: m.Go | None,
        breakpoints: tuple[m.Breakpoint, ...],
        readonly: bool = False,
        cold: bool = False,
        trace: m.Tracing | None = None,
        watches: tuple[str, ...] = (),
        async_conditions: bool = False,
        exceptions: bool = True,
    ):
        self.folder = folder
        self.said: list[dict[str, Any]] = []
        self.notices: list[str] = []
        self.noted: list[m.Noted] = []
        self.failed: list[m.BreakpointFailed] = []
        self.hello: m.RankHello | None = None
        self.interrupt_signal: int | None = None
        self._go, self._breakpoints, self._readonly, self._trace = go, breakpoints, readonly, trace
        self._exceptions = exceptions
        self._watches = tuple(m.Watch(number, words) for number, words in enumerate(watches, 1))
        self._late = async_conditions
        self.remarks: list[m.BreakpointRemark] = []
        self.hits: list[m.BreakpointHit] = []
        self.failures: list[m.WatchFailed] = []
        self.traced: list[m.Traced] = []
        self.found: list[m.Finding] = []
        self.checked: m.Checked | None = None
        self._splitter = frames.Splitter("FromRank")
        self._messages: list[Any] = []
        self._rest = b""
        self._number = 0
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(folder / "rank.sock"))
        listener.listen()
        listener.settimeout(DEADLINE)
        env = dict(os.environ, STEPDBG_SESSION=str(folder), PYTHONPATH=str(INJECT))
        leave_word(folder, breakpoints)
        self.process = _start(arguments, env, cold)
        self.socket, _ = listener.accept()
        self.socket.settimeout(COMPILING)
        listener.close()

    @property
    def problems(self) -> list[str]:
        """What was said of breakpoints that cannot be met; an empty one takes it back."""
        return [one.problem for one in self.failed]

    def _read(self) -> bool:
        data = self.socket.recv(1 << 16)
        self._rest += data
        while self._rest[:1] == b"{" and b"\n" in self._rest:
            line, _, self._rest = self._rest.partition(b"\n")
            self.said.append(json.loads(line))
        if self._rest and self._rest[:1] != b"{":
            raw, self._rest = self._rest, b""
            self._messages += self._splitter.feed(raw)
        return bool(data)

    def next_message(self) -> Any:
        """The next frame; None when the process has gone."""
        while not self._messages:
            if not self._read():
                return None
        message = self._messages.pop(0)
        if isinstance(message, m.Interruptible):
            self.interrupt_signal = message.signal
        return message

    def send(self, message: m.Message) -> None:
        self.socket.sendall(frames.encode(message))

    def stop(self) -> m.Stop | None:
        """The next stop; None where the process ends without one."""
        while (message := self.next_message()) is not None:
            if isinstance(message, m.RankHello):
                self.hello = message
                welcome = m.RankWelcome(m.PROTOCOL_VERSION, self._go, self._breakpoints, self._readonly, self._trace)
                welcome = msgspec.structs.replace(welcome, async_conditions=self._late, exceptions=self._exceptions)
                self.send(msgspec.structs.replace(welcome, watches=self._watches))
            elif isinstance(message, m.Notice):
                self.notices.append(message.text)
            elif isinstance(message, m.Noted):
                self.noted.append(message)
            elif isinstance(message, m.WatchFailed):
                self.failures.append(message)
            elif isinstance(message, m.BreakpointFailed):
                self.failed.append(message)
            elif isinstance(message, m.BreakpointRemark):
                self.remarks.append(message)
            elif isinstance(message, m.BreakpointHit):
                self.hits.append(message)
            elif isinstance(message, m.Traced):
                self.traced.append(message)
            elif isinstance(message, m.FindingMet):
                self.found.append(message.finding)
            elif isinstance(message, m.Checked):
                self.checked = message
            elif isinstance(message, m.Stopped):
                return message.stop
        return None

    def go(self, until: m.Go = "next") -> m.Stop | None:
        """Resume, and wait for the next stop."""
        self.send(m.Resume(until))
        return self.stop()

    def stops(self, until: m.Go = "next") -> Iterator[m.Stop]:
        """Every stop to the end."""
        yield from self.stops_from(self.stop(), until)

    def stops_from(self, stop: m.Stop | None, until: m.Go = "next") -> Iterator[m.Stop]:
        """That stop, and every one after it."""
        while stop is not None:
            yield stop
            stop = self.go(until)

    def ask(self, query: Any) -> Any:
        self._number += 1
        self.send(m.Ask(self._number, query))
        while not isinstance(message := self.next_message(), m.Answer):
            assert message is not None, "the process ended instead of answering"
            if isinstance(message, m.Notice):
                self.notices.append(message.text)
        assert message.number == self._number
        return message.result

    def end(self) -> tuple[int, str, str]:
        """Exit status, stdout and stderr."""
        out, err = self.process.communicate(timeout=DEADLINE)
        return self.process.returncode, out, err


@contextmanager
def debuggee(
    *arguments: str,
    go: m.Go | None = None,
    breakpoints: tuple[m.Breakpoint, ...] = (),
    readonly: bool = False,
    cold: bool = False,
    trace: m.Tracing | None = None,
    watches: tuple[str, ...] = (),
    async_conditions: bool = False,
    exceptions: bool = True,
) -> Iterator[Debuggee]:
    """A training process that is gone when the test is; `cold` as for `bare`."""
    folder = Path(tempfile.mkdtemp(dir="/tmp", prefix="sd-"))
    given = list(arguments), folder, go, breakpoints, readonly, cold, trace, watches, async_conditions, exceptions
    training = Debuggee(*given)
    try:
        yield training
    finally:
        training.socket.close()
        training.process.kill()
        with training.process:
            shutil.rmtree(folder)


def bare(*arguments: str, cold: bool = False, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit status, stdout and stderr of the same program without stepdbg.

    It runs in a Python that is forked from one which has imported torch (`harness.warm`), or where `cold` in one that
    starts with nothing: for what measures itself, or looks at the interpreter.
    """
    with _start(list(arguments), dict(os.environ), cold, cwd) as process:
        try:
            out, err = process.communicate(timeout=COMPILING)
        finally:
            process.kill()
    return process.wait(), out, err


def _start(
    arguments: list[str], env: dict[str, str], cold: bool, cwd: Path | None = None
) -> subprocess.Popen[str] | warm.Process:
    if not cold:
        return warm.Process(arguments, env, cwd)
    pipe = subprocess.PIPE
    return subprocess.Popen(
        [sys.executable, *arguments], env=env, cwd=cwd, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True
    )


def write(folder: Path, text: str, name: str = "script.py") -> str:
    """A script, dedented."""
    path = folder / name
    path.write_text(textwrap.dedent(text))
    return str(path)


def counts(stop: m.Stop) -> dict[tuple[str, str], int]:
    """The effects at a stop, by kind and fate, without the random generators."""
    assert stop.effects is not None
    return {(count.kind, count.what): count.count for count in stop.effects.counts if count.kind != "rng"}
