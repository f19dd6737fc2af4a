"""What `stepdbg check` takes: 20 updates of the loop of some 5 ms in no more than twice the bare run and a second.

The whole command is timed, the start of Python and the import of torch among it, beside the bare program: both in turn.
Writes `docs/benchmarks.md`.
"""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from time import perf_counter

from harness.place import STEPDBG, Place

from measure import PROGRAMS, Row, alternating, median, table
from page import write_section

PROGRAM = PROGRAMS / "overhead_loop.py"
SIZES = ("5ms", "30 parameters")
UPDATES = 15
"""Of a stretch: with those that the program runs before it, 21 updates."""
LAUNCHES = 5
LIMIT_TIMES, LIMIT_SECONDS = 2.0, 1.0
TITLE = "A check of 20 updates"


def launch(place: Place, size: str, before: tuple[str, ...]) -> float:
    """Seconds from the command to its end."""
    began = perf_counter()
    words = [*before, str(PROGRAM), size, str(UPDATES), "bare"]
    done = subprocess.run(words, env=place.env(), input="\n", stdout=subprocess.PIPE, text=True, check=True)
    seconds = perf_counter() - began
    if before[0] == str(STEPDBG) and "20 updates checked: " not in done.stdout:
        raise SystemExit(f"it was not checked:\n{done.stdout}")
    return seconds


def main() -> int:
    """Measure, print, write, and say by the exit status whether the limit holds."""
    place = Place()
    ways = {"bare python": (sys.executable,), "stepdbg check": (str(STEPDBG), "check")}
    rows, lines = [], []
    try:
        for size in SIZES:
            measures: list[Callable[[], float]] = [partial(launch, place, size, before) for before in ways.values()]
            bare, checked = (median(times) for times in alternating(LAUNCHES, *measures))
            limit = LIMIT_TIMES * bare + LIMIT_SECONDS
            rows += [Row(f"{size}, bare python", bare, "s"), Row(f"{size}, stepdbg check", checked, "s", limit)]
            lines.append(f"| {size} | {bare:.2f} s | {checked:.2f} s | {limit:.2f} s |")
    finally:
        place.clean()
    write_section(
        TITLE,
        [
            f"Written by `make bench` (`benchmarks/checking.py`): whole commands, {LAUNCHES} launches, medians.",
            "",
            "| an update of | bare python | stepdbg check | limit |",
            "| --- | --- | --- | --- |",
            *lines,
            "",
            f"Python {platform.python_version()}, torch {version('torch')}.",
        ],
    )
    return table(TITLE, rows)


if __name__ == "__main__":
    sys.exit(main())
