"""The script's own signal handlers, while our code runs in its main thread or training stands there.

A handler of Python's runs between any two bytecodes, and what it raises arrives wherever that is: in the midst of our
bookkeeping, or where we wait for the hub. So meanwhile a note stands in its place. Once control is back in a frame that
is not ours the handler is put back, and the signal is given again: Python itself then calls the handler in that frame,
and what it raises arrives there as if the signal had only come then. Where somebody asks the process to end, training
does not stand on until the user lets it: it goes on at once, for the handler to run.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # without the conversion of numbers into members of enumerations
import _thread
import contextlib
import signal
import threading
import weakref
from collections.abc import Callable
from functools import partial
from operator import methodcaller
from threading import get_ident
from types import FrameType, FunctionType, MethodType
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from stepdbg.tracer.introspect import stack as frames

ENDING = frozenset({int(signal.SIGINT), int(signal.SIGTERM), int(signal.SIGHUP), int(signal.SIGQUIT)})
"""Signals that ask the process to end."""
_UNTOLD = frozenset({int(signal.SIGCHLD), int(signal.SIGWINCH), int(signal.SIGPROF), int(signal.SIGVTALRM)})
"""What comes by itself and often is not worth a notice."""
_NUMBERS = tuple(sorted(map(int, signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP})))
_CONTEXTS = contextlib.__file__


class GoOn(BaseException):
    """Raised while training stands: it is to go on, since its process was asked to end."""


class Handlers:
    """A context in which no handler of the script's runs.

    Args:
        tell: Tells the user something.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._noter = self._note
        self._replaced: dict[int, Any] = {}
        """The handlers that the note stands for."""
        self._came: set[int] = set()
        """The signals that were noted, and are not given yet."""
        self._depth = 0
        self.asked_to_end = False
        """Whether training went on by itself since its process was asked to end."""
        self._idle = False
        self._notified: set[int] = set()
        """The signals that the user was told of, at this stop."""
        self._bells: list[_Bell] = []

    @property
    def held(self) -> bool:
        """Whether this context is entered: code of ours runs, or training stands."""
        return self._depth > 0

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth > 1 or get_ident() != threading.main_thread().ident:
            return
        for number in _NUMBERS:
            handler = _signal.getsignal(number)
            if handler is None or type(handler) is int or handler is self._noter or _is_exempt(handler):
                continue
            self._replaced[number] = handler
            _signal.signal(number, self._noter)

    def __exit__(self, *error: object) -> None:
        self._depth -= 1
        if self._depth or not self._replaced:
            return
        self._notified.clear()
        for number, handler in list(self._replaced.items()):
            if number in self._came:
                continue
            if _signal.getsignal(number) is not self._noter:  # the user has set another meanwhile, in the console
                del self._replaced[number]
                continue
            _signal.signal(number, handler)
            if number in self._came:  # it came just before
                _signal.signal(number, self._noter)
            else:
                del self._replaced[number]
        _marks = self._at_return(self._came)

    def wait(self, wait: Callable[[], None]) -> None:
        """Wait while training stands.

        Raises:
            GoOn: the process was asked to end, and its handler is to run.
        """
        self._idle = True
        try:
            if self._came & ENDING:
                self.asked_to_end = True
                raise GoOn
            self._tell_of_them()
            wait()
        finally:
            self._idle = False

    def _note(self, number: int, frame: FrameType | None) -> None:
        """Stands for every handler that is held."""
        if self._depth:
            self._came.add(number)
            if self._idle:
                if number in ENDING:
                    self.asked_to_end = True
                    raise GoOn
                self._tell_of_them()
            return
        given = {number, *self._came}
        if not _is_ours(frame):
            self._came.discard(number)
            handler = self._replaced.pop(number, None)
            if handler is not None and _signal.getsignal(number) is self._noter:
                _signal.signal(number, handler)
        _marks = self._at_return(given)

    def _tell_of_them(self) -> None:
        for number in self._came - self._notified - _UNTOLD:
            self._notified.add(number)
            name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
            self._tell(f"{name} came; the script's handler runs when training goes on")

    def _at_return(self, numbers: set[int]) -> list[_Mark]:
        """Marks at whose end those signals are given again: for a local variable of a function that is about to return.

        Were they given by a call, Python would call their handlers right there, in a frame of ours.
        """
        marks, self._bells = [], []
        for number in numbers:
            mark = _Mark()
            bell = _Bell(mark, methodcaller("ring"))
            bell.ring = partial(_thread.interrupt_main, number)  # type: ignore[arg-type]
            self._bells.append(bell)
            marks.append(mark)
        return marks


class _Holds(Protocol):
    @property
    def handlers(self) -> Handlers: ...


Self = TypeVar("Self", bound=_Holds)
P = ParamSpec("P")
R = TypeVar("R")


def without_handlers(method: Callable[Concatenate[Self, P], R]) -> Callable[Concatenate[Self, P], R]:
    """A method during which no handler of the script's runs."""

    def holding(self: Self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        with self.handlers:
            return method(self, *args, **kwargs)

    return holding


class _Mark:
    __slots__ = ("__weakref__",)


class _Bell(weakref.ref[_Mark]):
    ring: Callable[[], None]


def raised(error: BaseException) -> bool:
    """Whether the exception comes out of a handler of the script's, called while a frame of ours was running."""
    handlers = [_signal.getsignal(number) for number in _NUMBERS]
    codes = {getattr(handler, "__code__", None) for handler in handlers if type(handler) in (FunctionType, MethodType)}
    traceback = error.__traceback__
    while traceback is not None:
        if traceback.tb_frame.f_code in codes:
            return True
        traceback = traceback.tb_next
    return False


def _is_ours(frame: FrameType | None) -> bool:
    """Whether code of ours runs there, be it in a context manager's machinery."""
    while frame is not None and frame.f_code.co_filename == _CONTEXTS:
        frame = frame.f_back
    return frame is not None and frames.origin(frame.f_code.co_filename) == "stepdbg"


def _is_exempt(handler: Any) -> bool:
    """Whether it is a handler of ours, or asyncio's, which does nothing: it only wakes the loop up."""
    function = handler.__func__ if type(handler) is MethodType else handler
    return type(function) is FunctionType and function.__module__.partition(".")[0] in ("stepdbg", "asyncio")
