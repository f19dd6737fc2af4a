"""The terminal that the screen is on: what Textual's driver for Linux (8.2) does not hold out.

- Stopped from outside and continued (SIGSTOP, SIGCONT), it took the state that it had made itself for the terminal's
  own, and left the terminal so.
- Bytes that are no UTF-8, and sequences that no terminal sends, ended the thread that reads the keys, and the program.
- It believed `COLUMNS` before the terminal, and wrote to stderr whatever that was.
"""

from __future__ import annotations

import codecs
import contextlib
import os
import re
import select
import selectors
import signal
import sys
import termios
import tty
from collections.abc import Iterator
from typing import TextIO

from textual._xterm_parser import XTermParser
from textual.app import App
from textual.drivers import linux_driver
from textual.drivers.linux_driver import LinuxDriver
from textual.message import Message

from stepdbg.terminal_size import terminal_size
from stepdbg.tui.terminal.signals import end_by

_FLAGS = (
    linux_driver.KITTY_DISAMBIGUATE_ESCAPE_CODES
    | linux_driver.KITTY_REPORT_ALL_KEYS
    | linux_driver.KITTY_REPORT_ASSOCIATED_TEXT
)
_SEQUENCES = re.compile("(?=\x1b)")
_CHUNK = 4096
_POLL_SECONDS = 0.1


class TerminalDriver(LinuxDriver):
    """Reads any bytes, knows the terminal's own size, and comes back from every kind of stop."""

    def __init__(
        self, app: App[int], *, debug: bool = False, mouse: bool = True, size: tuple[int, int] | None = None
    ) -> None:
        super().__init__(app, debug=debug, mouse=mouse, size=size)
        self._file = ScreenFile()  # type: ignore[assignment]  # what of a file the writing thread uses
        self._suspended = False
        # By the loop, between two callbacks: a handler that interrupts anything may find a lock of its own taken.
        self._loop.add_signal_handler(signal.SIGTSTP, self._suspend)
        self._loop.add_signal_handler(signal.SIGCONT, self._continue)

    def _get_terminal_size(self) -> tuple[int, int]:
        return terminal_size()

    # stopped and continued

    def _suspend(self) -> None:
        """Ctrl+Z of another program's making: give the terminal back, and stop."""
        self._suspended = True
        self.suspend_application_mode()
        os.kill(os.getpid(), signal.SIGSTOP)

    def _continue(self) -> None:
        """Take the terminal again: from the start, or, where the stop gave no time to leave it, what a shell undid."""
        if self._suspended:
            self._suspended = False
            self.resume_application_mode()
        else:
            self._claim()
        self._repaint_all()

    def _repaint_all(self) -> None:
        """Draw every cell anew, whatever the terminal shows."""
        if self._app._screen_stack:
            self._app.screen.refresh(layout=True)

    def _claim(self) -> None:
        with contextlib.suppress(termios.error):
            attributes = termios.tcgetattr(self.fileno)
            attributes[tty.LFLAG] = self._patch_lflag(attributes[tty.LFLAG])
            attributes[tty.IFLAG] = self._patch_iflag(attributes[tty.IFLAG])
            attributes[tty.CC][termios.VMIN] = 1
            termios.tcsetattr(self.fileno, termios.TCSANOW, attributes)
        self.write("\x1b[?1049h\x1b[?25l\x1b[?1004h")
        self.write(f"\x1b[={_FLAGS};1u")  # set, not pushed a second time
        self._enable_mouse_support()
        self._enable_bracketed_paste()
        self._disable_line_wrap()

    # what is typed

    def run_input_thread(self) -> None:
        """Read what is typed and what the terminal answers, whatever it is."""
        keys = Keys(self._debug)
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                data = None
                if selector.select(_POLL_SECONDS):
                    try:
                        data = os.read(self.fileno, _CHUNK)
                    except OSError:
                        data = b""
                    if not data:  # the terminal has gone
                        self._loop.call_soon_threadsafe(end_by, self._app, signal.SIGHUP)
                        return
                for message in keys.fed(data):
                    self.process_message(message)


class Keys:
    """Bytes of the terminal in, what they mean out. What means nothing is passed over."""

    def __init__(self, debug: bool = False) -> None:
        self._debug = debug
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._parser = XTermParser(debug)

    def fed(self, data: bytes | None) -> Iterator[Message]:
        """The keys and answers that these bytes complete; None: no more have come for a while."""
        words = self._decoder.decode(data) if data else ""
        for piece in _SEQUENCES.split(words):
            try:
                if piece:  # nothing would be the end to the parser
                    yield from self._parser.feed(piece)
                else:
                    yield from self._parser.tick()
            except (ArithmeticError, LookupError, ValueError):  # a number that is no character, no cell, no key
                self._parser = XTermParser(self._debug)


class ScreenFile:
    """Where the screen is drawn: the terminal, by stderr or stdout. A terminal that has gone takes everything."""

    def __init__(self) -> None:
        stream = screen_stream()
        self._descriptor = stream.fileno()
        self._encoding = stream.encoding
        self._written = bytearray()

    def write(self, text: str) -> None:
        """Take it; a character that the terminal's encoding lacks is a `?`, one cell wide as most are."""
        self._written += text.encode(self._encoding, "replace")

    def flush(self) -> None:
        """Write what was taken, all of it."""
        while self._written:
            try:
                del self._written[: os.write(self._descriptor, self._written)]
            except BlockingIOError:  # somebody who shares the terminal has made it so
                select.select([], [self._descriptor], [])
            except OSError:
                self._written.clear()

    def fileno(self) -> int:
        """The descriptor that is written to."""
        return self._descriptor


def screen_stream() -> TextIO:
    """Python's own stream to the terminal: stderr, or stdout where stderr leads elsewhere."""
    for stream in (sys.__stderr__, sys.__stdout__):
        with contextlib.suppress(AttributeError, ValueError, OSError):
            if stream is not None and stream.isatty():
                return stream
    stream = sys.__stderr__ or sys.__stdout__
    assert stream is not None
    return stream
