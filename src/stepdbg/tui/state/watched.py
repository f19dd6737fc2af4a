"""What each watch gives at the moment that is looked at, with its history up to there."""

from __future__ import annotations

from typing import NamedTuple

from msgspec.structs import replace

from stepdbg.protocol.messages import Watch
from stepdbg.tui.drawing.numbers import figure
from stepdbg.tui.records.losses import Series
from stepdbg.tui.state.snapshot import Snapshot
from stepdbg.tui.state.subject import model_of


class WatchReading(NamedTuple):
    """A watch, and what is known of it."""

    watch: Watch
    words: str
    """What it gives, as people read it; empty before it was evaluated."""
    problem: str
    """Why it gives nothing."""
    series: Series
    """Its values after the updates that were sampled, under the expression as their name."""

    @property
    def every(self) -> int:
        """How many updates lie between the last two samples; 0 where there are not two."""
        points = self.series.points
        return points[-1].update - points[-2].update if len(points) > 1 else 0


def watch_of(name: str, snapshot: Snapshot) -> str:
    """The expression that tells the norm of the tensor that the screen calls so; empty for no name.

    What models and optimizers hold is found by its name, wherever a frame has it; anything else is a variable.
    """
    if not name:
        return ""
    if ".state[" in name or model_of(name, snapshot):
        return f'norm("{name}")' if '"' not in name else f"norm({name!r})"
    variable = name.partition(" in ")[0]
    stop = snapshot.stop
    return variable if stop is not None and variable == stop.loss_name else f"norm({variable})"


def readings(snapshot: Snapshot) -> list[WatchReading]:
    """All watches in the order of their numbers."""
    return [_reading(watch, snapshot) for watch in snapshot.session.watches]


def _reading(watch: Watch, snapshot: Snapshot) -> WatchReading:
    series = replace(snapshot.watched.get(watch.number, Series("")), name=watch.expression)
    stop = snapshot.stop
    if snapshot.looking_back and stop is not None:
        last = stop.boundary.update
        series = replace(series, points=tuple(point for point in series.points if point.update <= last))
    if stop is not None and snapshot.state != "running":
        value = next((one for one in stop.watched if one.watch == watch.number), None)
        if value is not None:
            words = "" if value.problem else value.text or figure(value.value)
            return WatchReading(watch, words, value.problem, series)
    if watch.problem or snapshot.state != "running" or not series.points:
        return WatchReading(watch, "", watch.problem, series)
    return WatchReading(watch, figure(series.points[-1].value), "", series)
