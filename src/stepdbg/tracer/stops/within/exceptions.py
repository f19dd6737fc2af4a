"""Exceptions that leave a hooked call: whether training stops for one there, where the outer frames have not been left.

`finally` blocks, the exits of `with` statements and a framework's handlers have not torn anything down then. It is a
stop only where nothing on the way out may catch the exception (`tracer/unwinding/`); what is not certain is left to
`sys.excepthook`. For one failure training stops once.
"""

from __future__ import annotations

from types import CodeType, FrameType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from stepdbg.tracer.session.signal_handlers import Handlers, raised
from stepdbg.tracer.stops.left import chain
from stepdbg.tracer.tensors import devices
from stepdbg.tracer.unwinding.fate import may_be_caught

if TYPE_CHECKING:
    from stepdbg.tracer.stops.boundaries import Boundaries
    from stepdbg.tracer.stops.decide import StopPolicy


class Watching(Protocol):
    """The tracer, as far as an exception that passes needs it."""

    handlers: Handlers
    """A context in which no signal handler of the script's runs."""

    def listening(self) -> bool:
        """Whether a call in this thread can make boundaries."""

    def gave_up(self, error: Exception) -> None:
        """Something of ours has failed."""


class _Raised(NamedTuple):
    """An exception, by what tells it from others without keeping it alive: itself, and where it was raised."""

    id: int
    code: CodeType | None
    place: int


class Exceptions:
    """The exceptions that training has stopped for before they left all frames."""

    def __init__(self, tracer: Watching, boundaries: Boundaries, policy: StopPolicy) -> None:
        self._tracer, self._boundaries, self._policy = tracer, boundaries, policy
        self._stopped: set[_Raised] = set()
        self.unwinding = False
        """Whether no phase has begun since training stopped for one that was on its way."""

    def is_last_word(self, error: BaseException, frame: FrameType | None) -> bool:
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
                if known or not self.is_stop(error) or may_be_caught(error, frame) or devices.capturing():
                    return False
        except Exception as fault:
            tracer.gave_up(fault)
            return False
        self._stopped.add(here)
        self.unwinding = True
        return True

    def is_stop(self, error: BaseException) -> bool:
        """Whether training is to stop for an exception: not for one that it has stopped for, or that comes of such a
        one; nor for one by which a process ends that was asked to.
        """
        if self._tracer.handlers.asked_to_end and (isinstance(error, KeyboardInterrupt) or raised(error)):
            return False
        return not any(_raised(one) in self._stopped for one in chain(error))


def _raised(error: BaseException) -> _Raised:
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    if traceback is None:
        return _Raised(id(error), None, 0)
    return _Raised(id(error), traceback.tb_frame.f_code, traceback.tb_lasti)
