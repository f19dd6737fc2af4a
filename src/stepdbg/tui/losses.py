"""The history of every loss, as much of it as a chart can show.

A long run has millions of points. A series keeps at most `MOST_POINTS`: when it is full, its older half is thinned to
every second point, and of each two the one that stands out more stays, so that a spike is not lost.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

from stepdbg.protocol.messages import LossPoints

MOST_POINTS = 8_192


class Point(NamedTuple):
    """A loss at an update."""

    update: int
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One loss over the updates, oldest first."""

    name: str
    points: tuple[Point, ...] = ()

    def with_points(self, new: list[Point]) -> Series:
        """The series with newer points, thinned if it has become too long."""
        points = self.points + tuple(new)
        while len(points) > MOST_POINTS:
            points = _thinned(points)
        return replace(self, points=points)


def _thinned(points: tuple[Point, ...]) -> tuple[Point, ...]:
    half = len(points) // 2 & ~1
    kept: list[Point] = []
    for first, second in zip(points[:half:2], points[1:half:2], strict=True):
        level = kept[-1].value if kept else first.value
        if not math.isfinite(first.value) or abs(first.value - level) > abs(second.value - level):
            kept.append(first)
        else:
            kept.append(second)
    return (*kept, *points[half:])


def grown(history: tuple[Series, ...], message: LossPoints) -> tuple[Series, ...]:
    """The history with the points of a message."""
    fresh: dict[int, list[Point]] = {}
    for point in message.points:
        fresh.setdefault(point.loss, []).append(Point(point.update, point.value))
    series = list(history)
    for _ in range(len(series), max([len(message.losses), *(loss + 1 for loss in fresh)])):
        series.append(Series(""))
    for index, one in enumerate(series):
        name = message.losses[index] if index < len(message.losses) else one.name or f"loss {index + 1}"
        if index in fresh:
            series[index] = replace(one, name=name).with_points(fresh[index])
        elif name != one.name:
            series[index] = replace(one, name=name)
    return tuple(series)
