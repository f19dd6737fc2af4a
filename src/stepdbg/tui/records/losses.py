"""The history of every loss, as much of it as a chart can show.

A long run has millions of points. A series keeps at most `MOST_POINTS`: when it is full, it is cut into stretches of
updates, and the lowest and the highest point of each stay, so that no spike is lost.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct
from msgspec.structs import replace

from stepdbg.protocol.messages import LossPoints

MOST_POINTS = 8_192


class Point(NamedTuple):
    """A loss at an update."""

    update: int
    value: float


class Series(Struct, frozen=True):
    """The values of one loss over the updates, oldest first."""

    name: str
    points: tuple[Point, ...] = ()

    def with_points(self, new: list[Point]) -> Series:
        """The series with newer points, thinned if it has become too long."""
        points = self.points + tuple(new)
        if len(points) > MOST_POINTS:
            points = _thinned(points)
        return replace(self, points=points)


def _thinned(points: tuple[Point, ...]) -> tuple[Point, ...]:
    """At most half as many as `MOST_POINTS`: of each of so many equal stretches, its lowest and its highest point."""
    stretches = MOST_POINTS // 4
    first, last = points[0].update, max(points[-1].update, points[0].update + 1)
    extremes: dict[int, list[int]] = {}
    for index, (update, value) in enumerate(points):
        stretch = (update - first) * stretches // (last - first + 1)
        found = extremes.setdefault(stretch, [index, index])
        if not value >= points[found[0]].value:  # a NaN is an extreme, too
            found[0] = index
        if not value <= points[found[1]].value:
            found[1] = index
    return tuple(points[index] for index in sorted({index for found in extremes.values() for index in found}))


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
