"""Numbers on their way from a device: nothing waits for them.

They are copied into pinned memory on the stream that computes them, and picked up when an event says that they have
arrived. To read them at once would wait for everything that training has started there.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import torch

from stepdbg.tracer.tensors import devices

T = TypeVar("T")


def is_far(tensor: torch.Tensor) -> bool:
    """Whether the numbers of a tensor lie on a device, so that to read one waits."""
    return not tensor.is_cpu and not tensor.is_meta


def can_travel(device: torch.device) -> bool:
    """Whether a kind of device has what is needed to come by numbers without waiting: streams and events."""
    module = devices.module_of(device.type)
    return getattr(module, "Event", None) is not None and getattr(module, "current_stream", None) is not None


def pinned(shape: torch.Size) -> torch.Tensor:
    """Room for numbers, float64, that a device can write to while the host goes on."""
    return torch.empty(shape, dtype=torch.float64, device="cpu", pin_memory=True)


@dataclass(slots=True)
class _Copy(Generic[T]):
    """Numbers on their way."""

    event: Any
    values: torch.Tensor
    """The numbers, float64 in pinned memory."""
    device: torch.device
    """The device whose event it is."""
    what: T


class OnTheWay(Generic[T]):
    """Copies of numbers, in the order in which they were sent for.

    Args:
        most: So many may be on their way; beyond it none is sent for.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._underway: deque[_Copy[T]] = deque()
        self._spare: defaultdict[tuple[torch.device, torch.Size], list[_Copy[T]]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._underway)

    def send_for(self, values: torch.Tensor, what: T) -> bool:
        """Send for the numbers of a tensor on a device that `can_travel`; `what` comes back with them.

        Args:
            values: Real numbers, or truth values.
            what: What they are.

        Returns:
            Whether they are on their way; not where there are too many already.
        """
        if len(self._underway) >= self._most:
            return False
        device = values.device
        module = devices.module_of(device.type)
        spare = self._spare[device, values.shape]  # an event belongs to the device on which it is recorded first
        if not spare:
            spare.append(_Copy(module.Event(), pinned(values.shape), device, what))
        copy = spare.pop()
        copy.what = what
        with torch.no_grad():
            copy.values.copy_(values.detach(), non_blocking=True)
        copy.event.record(module.current_stream(device))
        self._underway.append(copy)
        return True

    def arrived(self, *, wait: bool = False) -> Iterator[tuple[T, torch.Tensor]]:
        """What has arrived; where training waits anyhow, all of it. The numbers hold until the next is asked for.

        Nothing is asked while a CUDA graph is recorded: then even that is forbidden.
        """
        while self._underway and not devices.capturing():
            copy = self._underway[0]
            if wait:
                copy.event.synchronize()
            elif not copy.event.query():
                return
            self._underway.popleft()
            yield copy.what, copy.values
            self._spare[copy.device, copy.values.shape].append(copy)

    def pending(self) -> Iterator[T]:
        """What is on its way."""
        for copy in self._underway:
            yield copy.what

    def forget(self) -> None:
        """Nothing is on its way any more."""
        self._underway.clear()
