"""What the user's watches gave, update after update."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from stepdbg.protocol.messages import WatchPoints
from stepdbg.tui.records.losses import Point, Series

WatchSeries = Mapping[int, Series]
"""The values by the number of the watch; never changed in place."""


def grown(history: WatchSeries, message: WatchPoints) -> WatchSeries:
    """The history with the points of a message."""
    fresh: dict[int, list[Point]] = {}
    for point in message.points:
        fresh.setdefault(point.watch, []).append(Point(point.update, point.value))
    return {**history, **{number: history.get(number, Series("")).with_points(new) for number, new in fresh.items()}}


def without_removed(history: WatchSeries, watches: Iterable[int]) -> WatchSeries:
    """The history of the watches that there are."""
    kept = {*watches}
    return history if history.keys() <= kept else {one: series for one, series in history.items() if one in kept}
