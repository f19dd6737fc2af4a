"""Streams and events of a device that there is none of: what is sent for has come once a test says so."""

from __future__ import annotations

import pytest
import torch

from stepdbg.tracer.session import on_the_way
from stepdbg.tracer.tensors import devices


class Event:
    """Has come to pass when it is said to have."""

    over = False

    def record(self, stream: object) -> None:
        """Begin."""

    def query(self) -> bool:
        """Whether it has."""
        return Event.over


class EventModule:
    """The module of a kind of device that has streams and events."""

    Event = Event
    current_stream = staticmethod(lambda device: device)
    is_current_stream_capturing = staticmethod(lambda: False)


def has_events(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this test what stands for a device has streams and events: what is sent for has come once `Event.over` is
    true.
    """
    monkeypatch.setattr(Event, "over", False)
    monkeypatch.setattr(devices, "module_of", lambda kind: EventModule if kind == "cuda" else None)
    monkeypatch.setattr(on_the_way, "pinned", lambda shape: torch.zeros(shape, dtype=torch.float64))
