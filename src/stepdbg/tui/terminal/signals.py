"""The signals that end the program: it closes its screen first."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal

from textual.app import App

_NO_ENDS = {"SIGKILL", "SIGSTOP", "SIGCHLD", "SIGCLD", "SIGCONT", "SIGTSTP", "SIGTTIN", "SIGTTOU", "SIGWINCH", "SIGURG",
            "SIGPIPE", "SIGXFSZ", "SIGINFO", "SIGSEGV", "SIGBUS", "SIGFPE", "SIGILL", "SIGTRAP", "SIGSYS"}  # fmt: skip
"""Signals that end no program, that Python ignores, that cannot be handled, or that are faults of the program."""


def heed_signals(app: App[int]) -> None:
    """End in order at every signal that would end the program: by itself Textual (8.2) leaves the terminal in its
    alternate screen.
    """
    loop = asyncio.get_running_loop()

    def heard(number: int, _frame: object) -> None:
        try:
            loop.call_soon_threadsafe(end_by, app, number)
        except RuntimeError:  # the screen has closed already
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)

    loop.add_signal_handler(signal.SIGTERM, end_by, app, signal.SIGTERM)  # has any signal wake the loop
    for number in signal.valid_signals() - {signal.SIGTERM}:
        if getattr(number, "name", "") not in _NO_ENDS:
            with contextlib.suppress(ValueError, OSError):
                signal.signal(number, heard)  # by the loop's own way it takes 0.3 ms for each


def end_by(app: App[int], number: int) -> None:
    """Close the screen after a signal that ends the program; the exit status says by which."""
    app.exit(return_code=128 + number)
