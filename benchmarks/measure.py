"""What the benchmarks share: runs side by side, medians, and one table with the limit beside the figure."""

from __future__ import annotations

import re
import statistics
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from harness.terminal import Terminal

from page import write_section

PROGRAMS = Path(__file__).resolve().parent / "programs"
PAUSED = re.compile(r"PAUSED before (\w+)")


class Row(NamedTuple):
    """A figure and what it may be at most."""

    what: str
    figure: float
    unit: str
    limit: float | None = None


def median(values: Sequence[float]) -> float:
    """The middle one."""
    return statistics.median(values)


def alternating(rounds: int, *measures: Callable[[], float]) -> list[list[float]]:
    """Each measure so many times, A B A B, so that a busy minute of the machine meets all of them alike."""
    found: list[list[float]] = [[] for _ in measures]
    for _ in range(rounds):
        for values, measure in zip(found, measures, strict=True):
            values.append(measure())
    return found


def table(title: str, rows: Sequence[Row]) -> int:
    """Print the table; the exit status is 1 where a figure is over its limit."""
    print(f"\n{title}")
    wide = max(len(row.what) for row in rows)
    over = False
    for row in rows:
        line = f"  {row.what.ljust(wide)}  {row.figure:>10.3f} {row.unit:<6}"
        if row.limit is not None:
            missed = row.figure > row.limit
            over |= missed
            line += f"  limit {row.limit:g} {row.unit}  {'OVER' if missed else 'ok'}"
        print(line.rstrip(), flush=True)
    return int(over)


def section(title: str, rows: Sequence[Row], how: Sequence[str]) -> int:
    """`table`, and the same as a section of `docs/benchmarks.md` that begins by saying how it is measured."""
    lines = [*how, "", "| | measured | limit |", "| --- | --- | --- |"]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:,g} {row.unit}"
        lines.append(f"| {row.what} | {row.figure:,.4g} {row.unit} | {limit} |")
    write_section(title, lines)
    return table(title, rows)


def next_phase(terminal: Terminal) -> str | None:
    """The phase that the screen says comes next, or None while training is not stopped."""
    found = PAUSED.search(terminal.text)
    return found[1] if found else None


def shown_ms(terminal: Terminal, phase: str) -> float:
    """The time that the rail shows under a phase, in ms; 0 where it shows none."""
    for row, line in enumerate(terminal.lines):
        found = re.search(rf"(?<!before )\b{phase}\b", line)
        if found and "PAUSED" not in line and row + 3 < len(terminal.lines):
            time = re.match(r"([\d.]+) (µs|us|ms|s)\b", terminal.lines[row + 3][found.start() :])
            if time:
                return float(time[1]) * {"µs": 1e-3, "us": 1e-3, "ms": 1.0, "s": 1e3}[time[2]]
    return 0.0
