"""What a headless run's watches give: lines on stderr, or the rows of a CSV file."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from stepdbg.commands.line_file import LineFile
from stepdbg.commands.printing import say
from stepdbg.protocol.messages import SessionChanged, ToClient, WatchPoint, WatchPoints


class WatchLog:
    """Writes what the hub tells of the watches; until `close`.

    Args:
        expressions: What is watched.
        path: The file; None for stderr.
        spared: Files that it must not be.

    Raises:
        UsageError: the file cannot be written.
    """

    def __init__(self, expressions: Sequence[str], path: str | None, spared: Iterable[str]) -> None:
        self._names = dict(enumerate(dict.fromkeys(expressions), 1))  # as the hub numbers them
        self._file: LineFile | None = None
        if path is not None:
            self._file = LineFile(path, spared, "watched values", "--watch-csv", "without")
        self._problems: dict[int, str] = {}
        self._several = False
        if self._file is not None:
            self._file.write(_row("rank", "update", "watch", "value"))

    def hear(self, message: ToClient) -> None:
        """A message of the hub."""
        if isinstance(message, SessionChanged):
            self._several = len(message.session.ranks) > 1
            for watch in message.session.watches:
                self._names[watch.number] = watch.expression
                if watch.problem and watch.problem != self._problems.get(watch.number):
                    say(f"the watch {watch.expression}: {watch.problem}")
                self._problems[watch.number] = watch.problem
        elif isinstance(message, WatchPoints) and self._file is not None:
            for point in message.points:
                name = self._names.get(point.watch, "")
                self._file.write(_row(str(message.rank), str(point.update), name, repr(point.value)))
        elif isinstance(message, WatchPoints):
            self._say(message.rank, message.points)

    def _say(self, rank: int, points: Sequence[WatchPoint]) -> None:
        """A line for each update."""
        updates: dict[int, list[str]] = {}
        for point in points:
            updates.setdefault(point.update, []).append(f"{self._names.get(point.watch, '')} = {point.value:.6g}")
        who = f"rank {rank} " if self._several else ""
        for update, values in updates.items():
            say(f"{who}update {update}: {', '.join(values)}")

    def close(self) -> None:
        """Nothing more comes."""
        if self._file is not None:
            self._file.close()


def _row(*cells: str) -> bytes:
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerow(cells)
    return written.getvalue().encode("utf-8", "backslashreplace")
