"""What a trace adds to a boundary of a model of 100 tensors: at most 3 ms with `--effects`.

Writes `docs/benchmarks.md`.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

from harness.place import STEPDBG, Place

from measure import PROGRAMS, Row, alternating, median, table
from page import write_section

PROGRAM = PROGRAMS / "hundred_tensors.py"
UPDATES = 60
BOUNDARIES = 5
"""Of an update: zero_grad, forward, loss, backward, step."""
LAUNCHES = 5
LIMIT = 3.0
TITLE = "A trace, 100 tensors"
WAYS: dict[str, tuple[str, ...] | None] = {
    "bare python": None,
    "trace": (),
    "trace --effects": ("--effects",),
    "trace --fingerprints": ("--fingerprints",),
    "trace --effects --fingerprints": ("--effects", "--fingerprints"),
}


def launch(place: Place, options: tuple[str, ...] | None) -> float:
    """Milliseconds of an update, in one launch."""
    lines = place.runtime / "trace.jsonl"
    before = (sys.executable,) if options is None else (str(STEPDBG), "trace", *options, "-o", str(lines))
    done = subprocess.run(
        [*before, str(PROGRAM), str(UPDATES)], env=place.env(), stdout=subprocess.PIPE, text=True, check=True
    )
    if options is not None and (told := lines.read_bytes().count(b"\n")) <= UPDATES * BOUNDARIES - BOUNDARIES:
        raise SystemExit(f"the trace has {told} lines only")
    return float(done.stdout)


def main() -> int:
    """Measure, print, write, and say by the exit status whether the limit holds."""
    place = Place()
    try:
        measures: list[Callable[[], float]] = [partial(launch, place, options) for options in WAYS.values()]
        found = dict(zip(WAYS, alternating(LAUNCHES, *measures), strict=True))
    finally:
        place.clean()
    bare = min(found["bare python"])
    rows = [Row("bare python, an update: best launch", bare, "ms")]
    for name, times in list(found.items())[1:]:
        limit = LIMIT if name == "trace --effects" else None
        rows += [
            Row(f"{name}, added to a boundary: best launch", (min(times) - bare) / BOUNDARIES, "ms", limit),
            Row(f"{name}, added to a boundary: median launch", (median(times) - bare) / BOUNDARIES, "ms"),
        ]
    write_section(TITLE, section(found))
    return table(TITLE, rows)


def section(found: dict[str, list[float]]) -> list[str]:
    """Of `docs/benchmarks.md`."""
    bare = min(found["bare python"])
    lines = [
        f"Written by `make bench` (`benchmarks/tracing.py`): {LAUNCHES} launches of each in turn, {UPDATES} updates of",
        f"a model of 50 layers, {BOUNDARIES} boundaries each. What a trace adds is taken from the best launches; in",
        f"brackets from the median launch. The limit is {LIMIT:g} ms for `trace --effects`.",
        "",
        "| | an update | by bare python's | added to a boundary |",
        "| --- | --- | --- | --- |",
    ]
    for name, times in found.items():
        added = "" if name == "bare python" else f"{(min(times) - bare) / BOUNDARIES:.2f} ms"
        added += "" if name == "bare python" else f" ({(median(times) - bare) / BOUNDARIES:.2f})"
        lines.append(f"| {name} | {min(times):.2f} ms | {min(times) / bare:.2f}× | {added} |")
    return [
        *lines,
        "",
        f"Python {platform.python_version()}, torch {version('torch')}, {os.cpu_count()} cores.",
    ]


if __name__ == "__main__":
    sys.exit(main())
