"""What a free run costs beside what people use today, on updates of 0.4, 5 and 100 ms; writes `docs/benchmarks.md`.

Limits: 30 µs per update on the smallest loop and less than every other way there; 1.02 times on the two larger ones.
The other ways are the optional dependency group `peers`; one that is not installed is left out, and the table says so.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from importlib.metadata import version
from typing import NamedTuple

from harness.place import STEPDBG, Place

from measure import PROGRAMS, Row, median, table
from page import write_section

LOOP = PROGRAMS / "overhead_loop.py"
UPDATES = {"0.4ms": 120, "5ms": 10, "100ms": 1}
"""In a stretch: some 50 to 100 ms, so that a busy moment of the machine meets all ways of a round alike."""
ROUNDS = {"0.4ms": 80, "5ms": 80, "100ms": 16}
BARE = "bare python"
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
        Way(BARE, (python,), "bare"),
        Way(FREE, (str(STEPDBG), "run", "--headless"), "bare"),
        Way("sys.settrace, an empty function", (python,), "settrace"),
        Way("pdb, a condition never true", pdb, "bare"),
        Way("torch.autograd.set_detect_anomaly", (python,), "anomaly", slower=2),
        Way('wandb.watch(log="all", log_freq=1), offline', (python,), "wandb", needs="wandb", slower=10),
        Way("TorchLens, trace", (python,), "torchlens", needs="torchlens", slower=40),
    ]


class Running:
    """A loop that waits for its turn."""

    def __init__(self, way: Way, size: str, place: Place) -> None:
        updates = max(1, UPDATES[size] // way.slower)
        self.name = way.name
        self._process = subprocess.Popen(
            [*way.command, str(LOOP), size, str(updates), way.mode],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=place.env(),
        )  # fmt: skip
        while self._line() != "ready":
            pass

    def stretch(self) -> float:
        """Run one; seconds per update."""
        assert self._process.stdin is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        while not (line := self._line())[:1].isdigit():
            pass
        return float(line)

    def end(self) -> None:
        """No more turns."""
        self._process.kill()
        self._process.communicate()

    def _line(self) -> str:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise SystemExit(f"{self.name} ended before its turn; run it by hand: {self._process.args}")
        return line.rstrip().removeprefix("(Pdb) ")


Times = dict[str, list[float]]
"""Seconds per update of each round, by way."""


def measure(size: str) -> Times:
    """All ways at once, each waiting while another has its turn."""
    with ExitStack() as stack:
        place = Place()
        stack.callback(place.clean)
        running = []
        for way in ways():
            if not way.needs or importlib.util.find_spec(way.needs) is not None:
                running.append(Running(way, size, place))
                stack.callback(running[-1].end)
        times: Times = {one.name: [] for one in running}
        for number in range(ROUNDS[size]):
            for one in running if number % 2 else reversed(running):
                times[one.name].append(one.stretch())
    return times


def ratio(times: Times, name: str, to: str = BARE) -> float:
    """The median over the rounds of how much longer an update took than another way's in the same round."""
    return median([mine / theirs for mine, theirs in zip(times[name], times[to], strict=True)])


def beyond(times: Times, name: str) -> float:
    """The median over the rounds of the seconds that an update took beyond bare python's."""
    return median([mine - bare for mine, bare in zip(times[name], times[BARE], strict=True)])


def section(found: dict[str, Times]) -> list[str]:
    """Of `docs/benchmarks.md`."""
    lines = [
        "Written by `make bench` (`benchmarks/overhead.py`): all ways at once, each running a stretch of updates",
        "in its turn, on one thread of a machine that others use too. A ratio is the median over the rounds",
        "of the time of a way by the time of bare python in the same round; in brackets the median of what an",
        "update took beyond bare python.",
        "",
        f"| | {' | '.join(f'updates of {size}' for size in UPDATES)} |",
        f"| --- | {' | '.join('---' for _ in UPDATES)} |",
        f"| {BARE} | {' | '.join(f'{median(times[BARE]) * 1e6:,.0f} µs' for times in found.values())} |",
    ]
    for name in list(next(iter(found.values())))[1:]:
        cells = [f"{ratio(times, name):.3f}× ({beyond(times, name) * 1e6:+,.0f} µs)" for times in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    lines += [
        "",
        *missing(),
        f"Python {platform.python_version()}, {', '.join(versions())}, {os.cpu_count()} cores.",
    ]
    return lines


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
    found = {size: measure(size) for size in UPDATES}
    write_section("What it costs to be watched", section(found))
    small = found["0.4ms"]
    rows = [Row(f"{size}, {name}", median(times[name]) * 1e6, "µs") for size, times in found.items() for name in times]
    rows += [
        Row("fixed cost per update, 0.4 ms", beyond(small, FREE) * 1e6, "µs", 30),
        Row("against the cheapest other way, 0.4 ms", max(ratio(small, FREE, other) for other in peers(small)), "×", 1),
        Row("ratio, 5 ms", ratio(found["5ms"], FREE), "×", 1.02),
        Row("ratio, 100 ms", ratio(found["100ms"], FREE), "×", 1.02),
    ]
    return table("What it costs to be watched, per update", rows)


def peers(times: Times) -> list[str]:
    """The other ways of looking into training."""
    return [name for name in times if name not in (BARE, FREE)]


if __name__ == "__main__":
    sys.exit(main())
