"""A stand-in for a device under a whole training: ordinary tensors of the CPU are said to lie on one.

It is a double of a device and of this project's own way to it (`on_the_way`, `devices`), not of torch: training
computes as ever. What is copied from the device without waiting is there only when its event has been asked so many
times, and whoever reads a number of a tensor that lies there is noted. Tensors of integers lie in the host's memory.
"""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

import torch

waits: list[str] = []
"""Where the tracer has waited for the device, but for a stop: `item in verdicts.py`."""
_NEAR = (torch.int32, torch.int64)
_READING = ("item", "tolist", "cpu", "numpy", "__float__", "__bool__", "__int__", "__index__", "__format__")
_LAG = [1]
_sent: list[tuple[Room, torch.Tensor]] = []


class Room(torch.Tensor):
    """Pinned memory: what is copied there without waiting is nowhere until it arrives."""

    def copy_(self, source: torch.Tensor, non_blocking: bool = False) -> Room:
        """Begin to copy."""
        assert non_blocking, "a copy that waits"
        self.as_subclass(torch.Tensor).fill_(float("nan"))
        _sent.append((self, source.detach().clone()))
        return self


class Event:
    """Comes to pass when it has been asked so many times."""

    def __init__(self) -> None:
        self._asked, self._sent = 0, list[tuple[Room, torch.Tensor]]()

    def record(self, stream: object) -> None:
        """All that was begun comes before this event."""
        self._asked, self._sent = 0, [*_sent]
        _sent.clear()

    def query(self) -> bool:
        """Whether it has come to pass."""
        self._asked += 1
        if self._asked >= _LAG[0]:
            self._arrive()
        return self._asked >= _LAG[0]

    def synchronize(self) -> None:
        """Wait for it."""
        if self._asked < _LAG[0]:
            note("synchronize")
        self._asked = _LAG[0]
        self._arrive()

    def _arrive(self) -> None:
        for room, source in self._sent:
            room.as_subclass(torch.Tensor).copy_(source)
        self._sent = []


class Module:
    """The module of that kind of device."""

    Event = Event
    is_initialized = staticmethod(lambda: True)
    is_current_stream_capturing = staticmethod(lambda: False)
    current_stream = staticmethod(lambda device: device)
    default_generators = ()


def note(name: str) -> None:
    """Somebody waits: the tracer, where it is on the stack and training does not stand."""
    frame: FrameType | None = sys._getframe(1)
    where = ""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.endswith("stops/stop.py"):
            return
        if "stepdbg/tracer/" in file and "/sources/" not in file and not where:
            where = file.rpartition("/")[2]
        frame = frame.f_back
    if where:
        waits.append(f"{name} in {where}")


def is_far(tensor: torch.Tensor) -> bool:
    """Whether a tensor lies on the device."""
    return type(tensor) is not Room and not tensor.is_meta and tensor.dtype not in _NEAR


def install(lag: int = 1) -> None:
    """From now on tensors lie there. What is sent for arrives when it has been asked for `lag` times."""
    from stepdbg.tracer.breakpoints import holding
    from stepdbg.tracer.breakpoints.late import words
    from stepdbg.tracer.session import on_the_way
    from stepdbg.tracer.tensors import devices
    from stepdbg.tracer.watches import parameters

    _LAG[0] = lag
    devices.module_of = lambda kind: Module if kind in ("cpu", "cuda") else None
    on_the_way.is_far = holding.is_far = words.is_far = parameters.is_far = is_far
    on_the_way.pinned = lambda shape: torch.empty(shape, dtype=torch.float64).as_subclass(Room)
    for name in _READING:
        setattr(torch.Tensor, name, _noted(name, getattr(torch.Tensor, name)))


def _noted(name: str, original: Any) -> Any:
    def reading(self: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        if is_far(self):
            note(name)
        return original(self, *args, **kwargs)

    return reading
