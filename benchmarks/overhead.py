"""What a free run costs beside what people use today, on updates of 0.4, 5 and 100 ms; writes `docs/benchmarks.md`.

One launch of bare python differs from the next by 5 to 50 % (where its memory comes to lie), so both sides are launched
several times in turn, and the best launch of one is held against the best of the other.

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
ROUNDS = {"0.4ms": 40, "5ms": 40, "100ms": 8}
"""In a launch."""
_OTHERS, _ROUNDS_OF_OTHERS = 10, 40
"""The same of any other size."""
LAUNCHES = 6
"""Of the two sides; the other ways are there in the first one only."""
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
        updates = max(1, UPDATES.get(size, _OTHERS) // way.slower)
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


class Times(NamedTuple):
    """Seconds per update, by way."""

    launches: dict[str, list[float]]
    """The median of each launch."""
    first: dict[str, list[float]]
    """Of each round of the first launch, in which all ways took part."""

    def best(self, name: str) -> float:
        """That of the launch that ran best."""
        return min(self.launches[name])

    def spread(self, name: str) -> float:
        """How much longer an update took in the worst launch than in the best."""
        return max(self.launches[name]) / self.best(name)


def measure(size: str) -> Times:
    """All ways once, and the two sides several times more."""
    times = Times({BARE: [], FREE: []}, {})
    for launch in range(LAUNCHES):
        found = launched(size, [way for way in ways() if launch == 0 or way.name in (BARE, FREE)])
        for name, seconds in found.items():
            times.launches.setdefault(name, []).append(median(seconds))
        if launch == 0:
            times.first.update(found)
    return times


def launched(size: str, sides: Sequence[Way]) -> dict[str, list[float]]:
    """One launch of each of these ways, all at once, each waiting while another has its turn."""
    with ExitStack() as stack:
        place = Place()
        stack.callback(place.clean)
        running = []
        for way in sides:
            if not way.needs or importlib.util.find_spec(way.needs) is not None:
                running.append(Running(way, size, place))
                stack.callback(running[-1].end)
        seconds: dict[str, list[float]] = {one.name: [] for one in running}
        for number in range(ROUNDS.get(size, _ROUNDS_OF_OTHERS)):
            for one in running if number % 2 else reversed(running):
                seconds[one.name].append(one.stretch())
    return seconds


def ratio(times: Times, name: str, to: str = BARE) -> float:
    """How much longer an update takes: of the two sides their best launches, else the median over common rounds."""
    if {name, to} == {BARE, FREE}:
        return times.best(name) / times.best(to)
    return median([mine / theirs for mine, theirs in zip(times.first[name], times.first[to], strict=True)])


def beyond(times: Times, name: str) -> float:
    """The seconds that an update takes beyond bare python's, likewise."""
    if name == FREE:
        return times.best(FREE) - times.best(BARE)
    return median([mine - bare for mine, bare in zip(times.first[name], times.first[BARE], strict=True)])


def section(found: dict[str, Times]) -> list[str]:
    """Of `docs/benchmarks.md`."""
    lines = [
        "Written by `make bench` (`benchmarks/overhead.py`): ways in turn, each running a stretch of updates,",
        "on one thread of a machine that others use too. Bare python and a free run were launched "
        f"{LAUNCHES} times each,",
        "and their best launches are held against each other; a single launch proves nothing, as the last two rows",
        "tell. The other ways were launched once: the median over common rounds.",
        "",
        f"| | {' | '.join(f'updates of {size}' for size in UPDATES)} |",
        f"| --- | {' | '.join('---' for _ in UPDATES)} |",
        f"| {BARE} | {' | '.join(f'{times.best(BARE) * 1e6:,.0f} µs' for times in found.values())} |",
    ]
    for name in list(next(iter(found.values())).launches)[1:]:
        cells = [f"{ratio(times, name):.3f}× ({beyond(times, name) * 1e6:+,.0f} µs)" for times in found.values()]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    for name in (BARE, FREE):
        cells = [f"{times.spread(name):.2f}×" for times in found.values()]
        lines.append(f"| {name}: the worst of {LAUNCHES} launches by the best | {' | '.join(cells)} |")
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
    rows = [
        Row(f"{size}, {name}", times.best(name) * 1e6, "µs") for size, times in found.items() for name in times.launches
    ]
    rows += [
        Row(f"{size}, {name}: worst launch by the best", times.spread(name), "×")
        for size, times in found.items()
        for name in (BARE, FREE)
    ]
    rows += [
        Row("fixed cost per update, 0.4 ms", beyond(small, FREE) * 1e6, "µs", 30),
        Row("against the cheapest other way, 0.4 ms", max(ratio(small, FREE, other) for other in peers(small)), "×", 1),
        Row("ratio, 5 ms", ratio(found["5ms"], FREE), "×", 1.02),
        Row("ratio, 100 ms", ratio(found["100ms"], FREE), "×", 1.02),
    ]
    return table("What it costs to be watched, per update", rows)


def peers(times: Times) -> list[str]:
    """The other ways of looking into training."""
    return [name for name in times.launches if name not in (BARE, FREE)]


if __name__ == "__main__":
    sys.exit(main())
