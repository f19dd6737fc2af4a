"""What a free run costs beside what people use today, on updates of 0.4, 5 and 100 ms; writes `docs/benchmarks.md`.

Limits: 30 µs per update on the smallest loop and less than every other way there; 1.02 times on the two larger ones.
The other ways are the optional dependency group `peers`; one that is not installed is left out, and the table says so.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from harness.place import STEPDBG, Place

from measure import PROGRAMS, Row, table

LOOP = PROGRAMS / "overhead_loop.py"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "benchmarks.md"
UPDATES = {"0.4ms": 4000, "5ms": 300, "100ms": 20}
ROUNDS = 4
"""Each way so many times, in turn; the fastest counts, since load can only add."""
FREE = "stepdbg, free run"


class Way(NamedTuple):
    """A way to look into training."""

    name: str
    command: tuple[str, ...]
    """What comes before the script."""
    mode: str
    """What the script itself does."""
    needs: str = ""
    slower: int = 1
    """So much fewer updates are timed."""


def breakpoint_line() -> int:
    """The line of the loop where pdb looks at a condition that is never true."""
    lines = LOOP.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if line.strip() == "optimizer.zero_grad()")


def ways() -> list[Way]:
    """All of them, bare python first."""
    python = sys.executable
    pdb = (python, "-m", "pdb", "-c", f"break {LOOP}:{breakpoint_line()}, False", "-c", "continue")
    return [
        Way("bare python", (python,), "bare"),
        Way(FREE, (str(STEPDBG), "run", "--headless"), "bare"),
        Way("sys.settrace, an empty function", (python,), "settrace"),
        Way("pdb, a condition never true", pdb, "bare"),
        Way("torch.autograd.set_detect_anomaly", (python,), "anomaly", slower=2),
        Way('wandb.watch(log="all", log_freq=1), offline', (python,), "wandb", needs="wandb", slower=10),
        Way("TorchLens, trace", (python,), "torchlens", needs="torchlens", slower=40),
    ]


def seconds_per_update(way: Way, size: str) -> float:
    """As the program itself measured."""
    updates = max(5, UPDATES[size] // way.slower)
    place = Place()
    try:
        done = place.run(*way.command, str(LOOP), size, str(updates), way.mode, seconds=300)
        numbers = [line for line in done.stdout.splitlines() if line[:1].isdigit()]
        assert numbers, f"{way.name}: {done.stderr[-2000:]}"
        return float(numbers[-1])
    finally:
        place.clean()


def measure() -> dict[str, dict[str, float]]:
    """Seconds per update by way and size."""
    present = [way for way in ways() if not way.needs or importlib.util.find_spec(way.needs) is not None]
    found: dict[str, dict[str, float]] = {way.name: {} for way in present}
    for size in UPDATES:
        for _ in range(ROUNDS):
            for way in present:
                seconds = seconds_per_update(way, size)
                found[way.name][size] = min(seconds, found[way.name].get(size, seconds))
    return found


def page(found: dict[str, dict[str, float]]) -> str:
    """`docs/benchmarks.md`."""
    bare = found["bare python"]
    lines = [
        "# What it costs to be watched",
        "",
        "Written by `make bench` (`benchmarks/overhead.py`): one run, all ways in turn, on one thread of a machine",
        f"that others use too; of {ROUNDS} runs of five stretches each the fastest stretch counts. In brackets what",
        "an update costs beyond bare python.",
        "",
        f"| | {' | '.join(f'updates of {size}' for size in UPDATES)} |",
        f"| --- | {' | '.join('---' for _ in UPDATES)} |",
    ]
    for name, seconds in found.items():
        cells = [
            f"{seconds[size] * 1e6:,.0f} µs"
            if name == "bare python"
            else f"{seconds[size] / bare[size]:.3f}× ({(seconds[size] - bare[size]) * 1e6:+,.0f} µs)"
            for size in UPDATES
        ]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        *missing(),
        f"Python {platform.python_version()}, {', '.join(versions())}, {os.cpu_count()} cores.",
        "",
    ]
    return "\n".join(lines)


def missing() -> Sequence[str]:
    """What could not be measured."""
    names = [way.needs for way in ways() if way.needs and importlib.util.find_spec(way.needs) is None]
    return [f"Not installed, so not measured: {', '.join(names)}.", ""] if names else []


def versions() -> list[str]:
    """Of everything that was measured."""
    names = ["torch", *(way.needs for way in ways() if way.needs and importlib.util.find_spec(way.needs))]
    return [f"{name} {version(name)}" for name in names]


def main() -> int:
    """Measure, print, write, and say by the exit status whether the limits hold."""
    found = measure()
    PAGE.write_text(page(found))
    bare, free = found["bare python"], found[FREE]
    peers = [seconds["0.4ms"] for name, seconds in found.items() if name not in ("bare python", FREE)]
    rows = [Row(name, seconds[size] * 1e6, "µs") for size in UPDATES for name, seconds in found.items()]
    rows += [
        Row("fixed cost per update, 0.4 ms", (free["0.4ms"] - bare["0.4ms"]) * 1e6, "µs", 30),
        Row("against the cheapest other way, 0.4 ms", free["0.4ms"] / min(peers), "×", 1),
        Row("ratio, 5 ms", free["5ms"] / bare["5ms"], "×", 1.02),
        Row("ratio, 100 ms", free["100ms"] / bare["100ms"], "×", 1.02),
    ]
    return table("What it costs to be watched, per update", rows)


if __name__ == "__main__":
    sys.exit(main())
