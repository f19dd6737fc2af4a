"""What watches gave, update after update, as far as it is kept for screens to come."""

from __future__ import annotations

from collections.abc import Iterable

from stepdbg.protocol.messages import WatchPoint

MOST_POINTS = 50_000
"""Points of one watch of one rank; beyond it every second one is dropped."""


class WatchHistory:
    """The values of the watches of one rank, each watch's thinned by itself."""

    def __init__(self, most: int = MOST_POINTS) -> None:
        self._most = most
        self._points: dict[int, list[WatchPoint]] = {}

    @property
    def points(self) -> tuple[WatchPoint, ...]:
        """All that is kept, watch after watch, oldest first."""
        return tuple(point for points in self._points.values() for point in points)

    def extend(self, points: Iterable[WatchPoint]) -> None:
        """Append points."""
        for point in points:
            kept = self._points.setdefault(point.watch, [])
            kept.append(point)
            if len(kept) > self._most:
                del kept[1::2]

    def keep_only(self, watches: Iterable[int]) -> None:
        """Forget the watches that are not among these."""
        kept = {*watches}
        self._points = {number: points for number, points in self._points.items() if number in kept}
