"""Exceptions that leave a hooked call, or are raised in the user's own lines: whether training stops for one there,
where the outer frames have not been left.

`finally` blocks, the exits of `with` statements and a framework's handlers have not torn anything down then. It is a
stop only where nothing on the way out may catch the exception (`tracer/unwinding/`); what is not certain is left to
`sys.excepthook`. For one failure training stops once.
"""

from __future__ import annotations

from time import monotonic_ns
from types import CodeType, FrameType, TracebackType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from stepdbg.tracer.introspect import stack as frames
from stepdbg.tracer.session.signal_handlers import Handlers, raised
from stepdbg.tracer.stops.cause import Cause, caused_by
from stepdbg.tracer.stops.left import Left, chain
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.unwinding.fate import NO_FAILURES, catcher
from stepdbg.tracer.unwinding.raising import is_an_answer, raise_watch

if TYPE_CHECKING:
    from stepdbg.tracer.phases.phase import Phase
    from stepdbg.tracer.phases.tracker import PhaseTracker
    from stepdbg.tracer.stops.boundaries import Boundaries
    from stepdbg.tracer.stops.decide import StopPolicy


class EndOfScript(Protocol):
    """Looks at the last boundary."""

    def __call__(self, cause: Cause, *, stops: bool = True) -> None:
        """Stop there for that cause, or only tell of it."""


_REMEMBERED = 512
"""The number of places that are remembered to catch exceptions."""


class Watching(Protocol):
    """The tracer, as far as an exception that passes needs it."""

    handlers: Handlers
    """A context in which no signal handler of the script's runs."""

    @property
    def phases(self) -> PhaseTracker:
        """The phase tracker, up to now."""

    @property
    def in_a_call(self) -> bool:
        """Whether the call of a phase is open."""

    def listening(self) -> bool:
        """Whether a call in this thread can make boundaries."""

    def gave_up(self, error: Exception) -> None:
        """Something of ours has failed."""


class _Raised(NamedTuple):
    """An exception, by what tells it from others without keeping it alive: itself, and where it was raised."""

    id: int
    code: CodeType | None
    place: int


class _Head(NamedTuple):
    """How far out an exception has come, likewise: itself, and the frame that its traceback begins with."""

    id: int
    traceback: int
    code: int
    place: int


class Exceptions:
    """The exceptions that training has stopped for before they left all frames."""

    def __init__(self, tracer: Watching, boundaries: Boundaries, policy: StopPolicy, end: EndOfScript) -> None:
        self._tracer, self._boundaries, self._policy, self._end = tracer, boundaries, policy, end
        self.left = Left()
        """Which phases exceptions have left."""
        self._stopped: set[_Raised] = set()
        self._passing: _Head | None = None
        """The exception of which it was found last that something further out may catch it."""
        self._catchers: set[tuple[int, int, int]] = set()
        """The places that may catch an exception of a class, by the `id` of their code and of the class: what stands
        there is not read again for the next one."""
        self._watch = raise_watch(self._comes, frames.origin)
        self.unwinding = False
        """Whether no phase has begun since training stopped for one that was on its way."""

    def entered(self) -> None:
        """The session was entered: exceptions in the user's own lines are told of, where Python can."""
        if self._policy.exceptions:
            self._watch.begin()

    def let_go(self) -> None:
        """No exception in the user's own lines is told of any more."""
        self._watch.let_go()

    def passes(self, error: BaseException, frame: FrameType | None, phase: Phase | None) -> None:
        """An exception has left a hooked call, which was that phase or none, and comes to that frame next: stop, unless
        something may catch it, or there is a phase that it has not left yet.
        """
        try:
            if not (phase is None and self._tracer.in_a_call) and self._is_last_word(error, frame):
                self._stop(error, frame)
        except Exception as fault:
            self._tracer.gave_up(fault)

    def _comes(self, error: BaseException, frame: FrameType, again: bool) -> None:
        """An exception was raised in a frame of the user's, or has come to it, or a handler there raises it `again`. Of
        one that is inside a phase, its own call tells.
        """
        traceback = error.__traceback__
        if not again and traceback and traceback.tb_next and self._passing == _head(error, traceback.tb_next):
            self._passing = _head(error, traceback)
            return
        try:
            if self._tracer.in_a_call or issubclass(type(error), NO_FAILURES) or not self._tracer.listening():
                return
            if not again and self._is_known(error, frame):
                self._passing = _head(error, traceback)
            elif not is_an_answer(error, frame) and self._is_last_word(error, frame):
                self._stop(error, frame.f_back)
        except Exception as fault:
            self._tracer.gave_up(fault)

    def _is_last_word(self, error: BaseException, frame: FrameType | None) -> bool:
        """Whether training stops now for an exception that comes to that frame next: it will end what trains, and
        training has not stopped for it before. If so, it counts as stopped for.
        """
        tracer = self._tracer
        if not (self._policy.exceptions and self._boundaries.may_stop and tracer.listening()) or tracer.handlers.held:
            return False
        try:
            with tracer.handlers:
                here = _raised(error)
                known = any((one.code, one.place) == here[1:] for one in self._stopped)
                if known or not self._is_stop(error) or devices.capturing():
                    return False
                if issubclass(type(error), NO_FAILURES) or self._may_be_caught(error, frame):
                    self._passing = _head(error, error.__traceback__)
                    return False
        except Exception as fault:
            tracer.gave_up(fault)
            return False
        self._stopped.add(here)
        self.unwinding = True
        return True

    def _is_known(self, error: BaseException, frame: FrameType | None) -> bool:
        """Whether a place that the exception will come to was found to catch one of its class."""
        kind = id(type(error))
        while frame is not None:
            if (id(frame.f_code), frame.f_lasti, kind) in self._catchers:
                return True
            frame = frame.f_back
        return False

    def _may_be_caught(self, error: BaseException, frame: FrameType | None) -> bool:
        found = catcher(error, frame)
        if found is not None:
            if len(self._catchers) >= _REMEMBERED:
                self._catchers.clear()
            self._catchers.add((id(found.f_code), found.f_lasti, id(type(error))))
        return found is not None

    def failed(self, error: BaseException, *, last: bool = True) -> None:
        """An exception is about to end the script, or (not the `last` boundary then) the thread that trains."""
        self._end(caused_by(error, self.left, late=True), stops=self._is_stop(error))
        if not last:
            self.unwinding = False
            self._boundaries.goes_on_after_end()

    def _stop(self, error: BaseException, frame: FrameType | None) -> None:
        """Stop for an exception that comes to that frame next, and will end what trains."""
        began = monotonic_ns()
        self._end(caused_by(error, self.left, frame))
        self._boundaries.goes_on_after_end()
        self._tracer.phases.waited(monotonic_ns() - began)

    def _is_stop(self, error: BaseException) -> bool:
        """Whether training is to stop for an exception: not for one that it has stopped for, or that comes of such a
        one; nor for one by which a process ends that was asked to.
        """
        if self._tracer.handlers.asked_to_end and (isinstance(error, KeyboardInterrupt) or raised(error)):
            return False
        return not any(_raised(one) in self._stopped for one in chain(error))


def _head(error: BaseException, traceback: TracebackType | None) -> _Head | None:
    return _Head(id(error), id(traceback), id(traceback.tb_frame.f_code), traceback.tb_lasti) if traceback else None


def _raised(error: BaseException) -> _Raised:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return _Raised(id(error), None, 0)
    return _Raised(id(error), traceback.tb_frame.f_code, traceback.tb_lasti)
