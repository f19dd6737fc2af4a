"""The past of a session: every stop, and every loss, bounded in memory."""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from stepdbg.protocol.messages import LISTED_STOPS, LossPoint, Stop, Tick

MOST_STOPS = 10_000
MOST_BYTES = 64 * 1024 * 1024
"""The size of the encoded stops that are kept: a model of many parameters names thousands of effects in each."""
MOST_LOSSES = 200_000
"""Points of one rank; beyond it every second one of each loss is dropped."""


class _StopRecord(NamedTuple):
    """A stop, with what it is found by."""

    tick: Tick
    ordinal: int
    """How many phases of the name of the one done its update has had by then."""
    encoded: bytes


class Timeline:
    """The stops of one rank, oldest first; the oldest give way."""

    def __init__(self, most_stops: int = MOST_STOPS, most_bytes: int = MOST_BYTES) -> None:
        self._most_stops, self._most_bytes = most_stops, most_bytes
        self._stops: deque[_StopRecord] = deque()
        self._bytes = 0
        self._encoder = msgspec.msgpack.Encoder()
        self._decoder = msgspec.msgpack.Decoder(Stop)

    def __len__(self) -> int:
        return len(self._stops)

    def __getitem__(self, position: int) -> Stop:
        return self._decoder.decode(self._stops[position].encoded)

    def append(self, stop: Stop) -> None:
        """Remember a stop. It is kept encoded, since most are never looked at again."""
        encoded = self._encoder.encode(stop)
        boundary = stop.boundary
        tick = Tick(
            boundary.index, boundary.update, boundary.done, boundary.next, boundary.opens is not None, stop.reason
        )
        self._stops.append(_StopRecord(tick, sum(record.name == boundary.done for record in stop.phases), encoded))
        self._bytes += len(encoded)
        while len(self._stops) > 1 and (len(self._stops) > self._most_stops or self._bytes > self._most_bytes):
            self._bytes -= len(self._stops.popleft().encoded)

    def amend(self, stop: Stop) -> None:
        """The newest stop is known better now."""
        self._bytes -= len(self._stops.pop().encoded)
        self.append(stop)

    def ticks(self, after: int = 0) -> tuple[Tick, ...]:
        """The stops after the boundary of that index, in short."""
        newest = itertools.takewhile(lambda record: record.tick.boundary > after, reversed(self._stops))
        return tuple(record.tick for record in itertools.islice(newest, LISTED_STOPS))[::-1]

    def at(self, boundary: int) -> Stop | None:
        """The stop at the boundary of that index, if it was one and is kept still."""
        return self._newest(lambda record: record.tick.boundary == boundary)

    def after_phase(self, update: int, phase: str, ordinal: int) -> Stop | None:
        """The stop that followed on the n-th phase of that name in that update."""
        wanted = (update, phase, ordinal)
        return self._newest(lambda record: (record.tick.update, record.tick.done, record.ordinal) == wanted)

    def _newest(self, wanted: Callable[[_StopRecord], bool]) -> Stop | None:
        found = next((record for record in reversed(self._stops) if wanted(record)), None)
        return None if found is None else self._decoder.decode(found.encoded)


class LossHistory:
    """The losses of one rank, oldest first, thinned as they grow many."""

    def __init__(self, most: int = MOST_LOSSES) -> None:
        self._most = most
        self._every = 1
        self._arrived = Counter[int]()
        """How many points of each loss have come."""
        self.names: tuple[str, ...] = ()
        self.points: list[LossPoint] = []

    def extend(self, points: list[LossPoint]) -> None:
        """Append points; once there are too many, only every second, fourth, … of each loss is kept."""
        for point in points:
            if self._arrived[point.loss] % self._every == 0:
                self.points.append(point)
            self._arrived[point.loss] += 1
        while len(self.points) > max(self._most, len(self._arrived)):
            seen, kept = Counter[int](), []
            for point in self.points:
                if seen[point.loss] % 2 == 0:
                    kept.append(point)
                seen[point.loss] += 1
            self.points = kept
            self._every *= 2
