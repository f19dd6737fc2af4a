"""A person at a terminal: the real program on a real pty, read through a terminal emulator.

Everything waits for an event on the pty or for the end of a process, with a deadline; nothing sleeps, but that
`finish_frame` listens on for 20 ms. When a deadline passes, the error shows the screen as it stood.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import ptyprocess
from harness.deadline import deadline
from harness.screen import Emulator

WHOLE_FRAMES_ASKED, WHOLE_FRAMES = b"\x1b[?2026$p", b"\x1b[?2026;2$y"
"""The question whether a terminal shows frames whole (synchronised output), and the answer of one that does."""
KEYS = {
    "enter": "\r",
    "escape": "\x1b",
    "tab": "\t",
    "shift+tab": "\x1b[Z",
    "backspace": "\x7f",
    "up": "\x1b[A",
    "down": "\x1b[B",
    "right": "\x1b[C",
    "left": "\x1b[D",
    "home": "\x1b[H",
    "end": "\x1b[F",
    "pageup": "\x1b[5~",
    "pagedown": "\x1b[6~",
    "f5": "\x1b[15~",
    "f8": "\x1b[19~",
    "f10": "\x1b[21~",
    "space": " ",
}


class Terminal:
    """A program on a pty, with a screen to read and a keyboard and mouse to use."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        env: Mapping[str, str],
        cwd: Path | None = None,
    ) -> None:
        self.columns, self.rows = columns, rows
        self.emulator = Emulator(columns, rows)
        self.transcript = bytearray()
        """Every byte that the program wrote."""
        self.started = self.arrived = time.perf_counter()
        """When it was started, and when its newest bytes came, by `time.perf_counter`."""
        self._process = ptyprocess.PtyProcess.spawn(
            list(command), cwd=cwd, env={**env, "TERM": "xterm-256color"}, dimensions=(rows, columns)
        )
        self.ended = False
        """True once the program's side of the pty is closed."""

    @property
    def pid(self) -> int:
        """Of the program itself."""
        return self._process.pid

    @property
    def keyboard(self) -> int:
        """The descriptor that takes what is typed, and knows the terminal's modes."""
        return self._process.fd

    @property
    def text(self) -> str:
        """What is on the screen."""
        return self.emulator.text

    @property
    def lines(self) -> list[str]:
        """What is on the screen, row by row."""
        return self.emulator.lines

    # ------------------------------------------------------------ reading

    def read(self, seconds: float) -> bool:
        """Draw what comes within so many seconds; False when nothing did, or the program has gone."""
        if self.ended:
            return False
        ready, _, _ = select.select([self._process.fd], [], [], max(0.0, seconds))
        if not ready:
            return False
        try:
            data = os.read(self._process.fd, 65536)
        except OSError:  # EIO: the last process has closed its side
            data = b""
        if not data:
            self.ended = True
            return False
        self.arrived = time.perf_counter()
        self.transcript += data
        self.emulator.feed(data)
        if WHOLE_FRAMES_ASKED in data:
            os.write(self._process.fd, WHOLE_FRAMES)
        return True

    def wait_until(self, holds: Callable[[], object], what: str, seconds: float = 20.0) -> None:
        """Read until `holds()` is true.

        Raises:
            AssertionError: the deadline passed or the program ended first; shows the screen.
        """
        ends = time.monotonic() + deadline(seconds)
        self._finish_frame()
        while not holds():
            left = ends - time.monotonic()
            if left <= 0:
                raise AssertionError(f"waited {deadline(seconds):g} s in vain for {what}\n{self.picture()}")
            if not self.read(left) and self.ended and not holds():
                raise AssertionError(f"the program ended before {what}\n{self.picture()}")
            self._finish_frame()

    def _finish_frame(self) -> None:
        """Read the rest of a frame that has come in part: half of one may read as what there never was. (A frame that a
        program has left so is over after a second, as terminals have it.)
        """
        while self.emulator.within_frame and self.read(1.0):
            pass

    def wait_for(self, *texts: str, seconds: float = 20.0) -> None:
        """Read until all of these stand on the screen."""
        self.wait_until(lambda: all(text in self.text for text in texts), f"{texts}", seconds)

    def wait_for_no(self, text: str, seconds: float = 20.0) -> None:
        """Read until this stands nowhere on the screen."""
        self.wait_until(lambda: text not in self.text, f"{text!r} to go", seconds)

    def wait_for_match(self, pattern: str, seconds: float = 20.0) -> re.Match[str]:
        """Read until the screen matches; the match."""
        self.wait_until(lambda: re.search(pattern, self.text), f"/{pattern}/", seconds)
        found = re.search(pattern, self.text)
        assert found is not None
        return found

    def finish_frame(self) -> None:
        """Read on for as long as more follows at once: what a key has led to, where nobody says what that is."""
        for _ in range(50):
            if not self.read(0.02):
                return

    def read_for(self, seconds: float) -> None:
        """Read whatever comes for so long: for counting bytes, never for waiting."""
        ends = time.monotonic() + seconds
        while (left := ends - time.monotonic()) > 0 and not self.ended:
            self.read(left)

    def wait_exit(self, seconds: float = 20.0) -> int:
        """Read to the end of the output, and reap; the exit status, negative for a signal."""
        self.wait_until(lambda: self.ended or self._gone(), "the program to end", seconds)
        while self.read(0):
            pass
        status = self._process.wait()
        return status if self._process.signalstatus is None else -self._process.signalstatus

    def _gone(self) -> bool:
        descriptor = os.pidfd_open(self.pid)
        try:
            return bool(select.select([descriptor], [], [], 0)[0])
        finally:
            os.close(descriptor)

    def picture(self) -> str:
        """The screen in a frame, for error messages."""
        bar = "+" + "-" * self.columns + "+"
        body = [f"|{line.ljust(self.columns)}|" for line in self.emulator.screen.display]
        return "\n".join([bar, *body, bar])

    # ------------------------------------------------------------ typing

    def type(self, text: str) -> None:
        """Characters as typed."""
        os.write(self.keyboard, text.encode())

    def press(self, *keys: str) -> None:
        """Keys by name (`enter`, `ctrl+c`, `n`), one after the other."""
        for key in keys:
            if key.startswith("ctrl+"):
                self.type(chr(ord(key[5]) & 0x1F))
            else:
                self.type(KEYS.get(key, key))

    def click(self, column: int, row: int) -> None:
        """The left button at this cell (from 0), as SGR mouse reports."""
        self.type(f"\x1b[<0;{column + 1};{row + 1}M\x1b[<0;{column + 1};{row + 1}m")

    def click_on(self, text: str) -> None:
        """The left button on the first place where this text stands."""
        column, row = self.where(text)
        self.click(column, row)

    def where(self, text: str) -> tuple[int, int]:
        """Column and row (from 0) where this text begins.

        Raises:
            AssertionError: it stands nowhere.
        """
        for row, line in enumerate(self.lines):
            if (column := line.find(text)) >= 0:
                return column, row
        raise AssertionError(f"{text!r} is not on the screen\n{self.picture()}")

    def resize(self, columns: int, rows: int) -> None:
        """What the user does to the window."""
        self.columns, self.rows = columns, rows
        self.emulator.resize(columns, rows)
        self._process.setwinsize(rows, columns)

    def signal(self, number: signal.Signals) -> None:
        """Send the program a signal."""
        os.kill(self.pid, number)

    def hang_up(self) -> None:
        """Close the terminal's window, as a lost SSH link does."""
        self._let_go()
        self.ended = True

    def close(self) -> None:
        """End the program, however it stands, and reap it."""
        if self._process.status is None and self._process.exitstatus is None and self._process.signalstatus is None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except ProcessLookupError:
                return
            self._process.wait()
        self._let_go()

    def _let_go(self) -> None:
        # By the file object, which would close the number a second time when it is collected, whoever has it then.
        with contextlib.suppress(OSError):
            self._process.fileobj.close()
