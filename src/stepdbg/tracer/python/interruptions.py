"""What is evaluated for the user can be interrupted: a command of the console, an edit's expression."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupted(KeyboardInterrupt):
    """Somebody does not want to wait any longer."""


class Interruptions:
    """Has a signal that nobody uses raise `Interrupted` while something is evaluated.

    Args:
        tell: Is called once with the signal that interrupts, before anything can be.
    """

    def __init__(self, tell: Callable[[int], None]) -> None:
        self._tell = tell
        self._evaluating = False
        self._tried = False

    @contextmanager
    def possible(self) -> Iterator[None]:
        """What runs within can be interrupted, where training is in the main thread, which alone gets signals."""
        self._prepare()
        self._evaluating = True
        try:
            yield
        finally:
            self._evaluating = False

    def _prepare(self) -> None:
        """Put the handler in, at the first evaluation. It stays: the signal may come when what it is for has just
        ended.
        """
        if self._tried:
            return
        self._tried = True
        last = getattr(signal, "SIGRTMAX", None)
        candidates = [int(last) - n for n in (4, 5, 6)] if last is not None else [int(signal.SIGUSR2)]
        for number in candidates:
            if threading.current_thread() is threading.main_thread() and signal.getsignal(number) is signal.SIG_DFL:
                signal.signal(number, self._interrupt)
                self._tell(number)
                return

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        if self._evaluating:
            raise Interrupted
