"""What it costs to wait for a breakpoint that is never met, beside pdb with an equal condition; writes
`docs/benchmarks.md`.

All run at once, a stretch each in turn. Limits: `loss > c` at most 15 µs per update beyond a free run; `grad_norm()`
within 1.3 times of computing `torch.nn.utils.get_total_norm` once, in the loop itself (between kernels it takes three
times as long as again and again by itself: nothing of it is in the cache); a line of the loop costs less than pdb with
the same condition. On newer Pythons, which have no torch here, a loop as long as these updates, with a line of it
waited for, takes at most 1.05 times the bare loop. A parameter of 10,000 elements among 1,000 that is watched and not
touched costs at most 20 µs per boundary. A watch takes at most 1.02 times a free run, in which every parameter is
sampled all along, on updates of 5 ms. Waiting for the first bad value takes at most 1.1 times bare python's updates of
5 ms with 30 parameters (the cheapest check that there can be reads the gradients once: a third of what this one takes).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from importlib.metadata import version

from harness.interpreters import interpreter
from harness.place import ROOT, STEPDBG, Place

from measure import PROGRAMS, Row, median, table
from overhead import BARE, FREE, LOOP, Way, launched
from page import write_section

SIZES = ("0.4ms", "5ms")
NEVER = 1e9
CONDITIONS = {
    "backward if loss > c": f"backward if loss > {NEVER}",
    "step if grad_norm() > c": f"step if grad_norm() > {NEVER}",
    "before step at update N": "before step at update 1000000000",
    "update N": "update 1000000000",
    "a parameter that each step changes, watched": "when model.0.weight is not finite",
    "a module's forward": f"after forward of model.2 if update > {NEVER}",
    "every update noted on the way: step log": 'step every 1000 log "{loss}"',
}
EXPRESSIONS = {"a watch: grad_norm()": "grad_norm()", 'a watch: ratio("*.weight")': 'ratio("model.*.weight")'}
WATCHED = "when net.layers.7.weight changes"
BOUNDARIES = 5
"""In an update of that loop."""
LAUNCHES = 3
LINE = "the line of backward if loss > c"
PDB = "pdb, loss > c at the line of backward"
NORM = "get_total_norm in the loop itself"
NEWER = ("3.12", "3.13", "3.14")
FIRST_BAD, ANOMALY = "--stop-on nan", "torch.autograd.set_detect_anomaly"
THIRTY = "30 parameters"
"""The loop of some 5 ms with so many of them, on which the first bad value is waited for."""
UPDATE_OF = {"0.4ms": 700, "5ms": 8800}
"""The size of the loop without torch whose update takes that long."""


def ways() -> list[Way]:
    """Bare python, a free run, one with each of the breakpoints, and pdb."""
    lines = LOOP.read_text().splitlines()
    line = next(number for number, line in enumerate(lines, 1) if line.strip() == "loss.backward()")
    conditions = {**CONDITIONS, LINE: f"{LOOP}:{line} if loss > {NEVER}"}
    pdb = (sys.executable, "-m", "pdb", "-c", f"break {LOOP}:{line}, loss > {NEVER}", "-c", "continue")
    headless = (str(STEPDBG), "run", "--headless")
    return [
        Way(BARE, (sys.executable,), "bare"),
        Way(FREE, headless, "bare"),
        *(Way(name, (*headless, "-b", text), "bare") for name, text in conditions.items()),
        *(Way(name, (*headless, "-w", text), "bare") for name, text in EXPRESSIONS.items()),
        Way(PDB, pdb, "bare"),
        Way(NORM, (sys.executable,), "norm"),
    ]


def first_bad_value() -> dict[str, float]:
    """How many times bare python's an update takes while the first bad value is waited for, by way."""
    headless = (str(STEPDBG), "run", "--headless", "--stop-on", "nan")
    sides = [Way(BARE, (sys.executable,), "bare"), Way(FIRST_BAD, headless, "bare")]
    times = launched(THIRTY, [*sides, Way(ANOMALY, (sys.executable,), "anomaly")])
    return {
        name: median([mine / bare for mine, bare in zip(times[name], times[BARE], strict=True)])
        for name in (FIRST_BAD, ANOMALY)
    }


def on_newer_pythons() -> dict[tuple[str, str], float]:
    """How many times the bare loop a loop takes with a line of it waited for, by version and size."""
    found = {}
    for version_, size in ((one, size) for one in NEWER for size in SIZES):
        if (python := interpreter(version_)) is not None:
            command = [python, str(PROGRAMS / "watched_loop.py"), "20", str(UPDATE_OF[size])]
            environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
            times = json.loads(done.stdout)
            found[version_, size] = times["watched"] / times["bare"]
    return found


def watched_us() -> float:
    """Microseconds of CPU per boundary, beyond a free run, with one untouched parameter of 10,000 elements among 1,000
    watched.
    """
    found: dict[str, list[float]] = {"": [], WATCHED: []}
    place = Place()
    try:
        for _ in range(LAUNCHES):
            for text, times in found.items():
                command = ["run", "--headless", *(("-b", text) if text else ()), str(PROGRAMS / "watched_parameter.py")]
                done = subprocess.run(
                    [str(STEPDBG), *command], capture_output=True, text=True, check=True, env=place.env()
                )
                times.append(float(done.stdout.split()[0]))
    finally:
        place.clean()
    return (min(found[WATCHED]) - min(found[""])) / BOUNDARIES


def main() -> int:
    """Measure, print, write, and say by the exit status whether the limits hold."""
    found = {size: launched(size, ways()) for size in SIZES}
    beyond = {
        size: {
            name: median([mine - free for mine, free in zip(seconds, times[FREE], strict=True)]) * 1e6
            for name, seconds in times.items()
            if name not in (BARE, FREE, NORM)
        }
        for size, times in found.items()
    }
    norms = {
        size: median([mine - bare for mine, bare in zip(times[NORM], times[BARE], strict=True)]) * 1e6
        for size, times in found.items()
    }
    newer, watched, bad = on_newer_pythons(), watched_us(), first_bad_value()
    lines = [
        "Written by `make bench` (`benchmarks/breakpoints.py`): microseconds per update beyond a free run, while a",
        "breakpoint that is never met is waited for; pdb's are beyond a free run too, though it costs more than bare.",
        "",
        f"| | {' | '.join(f'updates of {size}' for size in SIZES)} |",
        f"| --- | {' | '.join('---' for _ in SIZES)} |",
        *(f"| {name} | {' | '.join(f'{beyond[size][name]:+.0f} µs' for size in SIZES)} |" for name in beyond["0.4ms"]),
        f"| {NORM}, beyond bare | {' | '.join(f'{norms[size]:.0f} µs' for size in SIZES)} |",
        "",
        f"A parameter of 10,000 elements among 1,000 watched and not touched: {watched:.1f} µs of CPU a boundary.",
        "",
        "A line of a loop without torch that is waited for, against the bare loop: "
        + ", ".join(f"{ratio:.3f} times on Python {one} (updates of {size})" for (one, size), ratio in newer.items())
        + ".",
        "",
        f"The first NaN or infinity waited for, in updates of some 5 ms with {THIRTY}: "
        + ", ".join(f"{ratio:.2f} times bare python's with {name}" for name, ratio in bad.items())
        + ".",
        "",
        f"Python {platform.python_version()}, torch {version('torch')}, {os.cpu_count()} cores.",
    ]
    write_section("What it costs to wait for a breakpoint", lines)
    rows = [Row(f"{size}, {name}", us, "µs") for size in SIZES for name, us in beyond[size].items()]
    rows += [Row(f"{size}, {NORM}, beyond bare", norms[size], "µs") for size in SIZES]
    rows += [
        Row("loss > c, 0.4 ms", beyond["0.4ms"]["backward if loss > c"], "µs", 15),
        Row(
            "grad_norm() > c, 0.4 ms, of get_total_norm",
            beyond["0.4ms"]["step if grad_norm() > c"] / norms["0.4ms"],
            "×",
            1.3,
        ),
        Row("a parameter watched, per boundary", watched, "µs", 20),
        *(
            Row(
                f"5 ms, {name}, of a free run",
                median([mine / free for mine, free in zip(times, free, strict=True)]),
                "×",
                1.02,
            )
            for name, times, free in ((name, found["5ms"][name], found["5ms"][FREE]) for name in EXPRESSIONS)
        ),
        Row(f"{FIRST_BAD}, {THIRTY}, of bare", bad[FIRST_BAD], "×", 1.1),
        Row(f"{ANOMALY}, {THIRTY}, of bare", bad[ANOMALY], "×"),
        Row("0.4ms, a line, of pdb's", beyond["0.4ms"][LINE] / beyond["0.4ms"][PDB], "×", 1),  # (larger ones: noise)
        *(Row(f"a line on Python {one}, {size}", ratio, "×", 1.05) for (one, size), ratio in newer.items()),
    ]
    return table("What it costs to wait for a breakpoint, beyond a free run", rows)


if __name__ == "__main__":
    sys.exit(main())
