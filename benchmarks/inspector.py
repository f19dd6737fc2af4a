"""How quickly a tensor is seen: its statistics beside torch's own functions, and a window of a billion elements.

Limits: full statistics of 50 M floats ten times faster than `min, max, mean, std, isnan().sum(), isinf().sum()` one
after the other, four times where the mean is far from zero, with at most 16 MB; a window within 20 ms from question to
answer. Each element has to be read once, so what memory can deliver is the floor: it is measured beside them.

(Not called `inspect.py`: Python's own module of that name would be hidden from whatever runs in this folder.)
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tracer.bare_hub import debuggee

from measure import PROGRAMS, Row, alternating, median, table
from page import write_section
from stepdbg.protocol import frames
from stepdbg.protocol import messages as m
from stepdbg.tracer.tensors.statistics import statistics

ELEMENTS = 50_000_000
ROUNDS = 7
ROWS, COLUMNS = 40, 12
"""Of a window: what a screen of 160 by 50 shows."""
MOVES = 40
TITLE = "How quickly a tensor is seen"


def naive(tensor: torch.Tensor) -> None:
    """The same figures, one function of torch after the other."""
    for figure in (
        tensor.min(), tensor.max(), tensor.mean(), tensor.std(), tensor.isnan().sum(), tensor.isinf().sum(),
    ):  # fmt: skip
        float(figure)


def tensors() -> dict[str, torch.Tensor]:
    """What is looked at, by what is particular of it."""
    made = torch.randn(ELEMENTS, generator=torch.Generator().manual_seed(0))
    return {
        "float32": made,
        "float32, mean 10": made + 10,
        "float32, transposed": made.view(5_000, -1).t(),
        "bfloat16": made.to(torch.bfloat16),
    }


def seconds(work: Callable[[], object]) -> float:
    """That it takes."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def extra_memory(work: Callable[[], object]) -> float:
    """MB by which the resident memory grows meanwhile at its peak; the kernel keeps that mark."""
    work()
    ctypes.CDLL(None).malloc_trim(0)  # or what was freed before would be taken anew without being seen
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmRSS")
    work()
    return (resident("VmHWM") - before) / 1e6


def resident(what: str) -> int:
    """Bytes, as `/proc/self/status` says."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def of_statistics() -> tuple[list[Row], list[str]]:
    """The rows, and the lines of the page."""
    rows: list[Row] = []
    lines = [
        f"Statistics of {ELEMENTS / 1e6:.0f} M elements on the CPU, against `min, max, mean, std, isnan().sum(),",
        "isinf().sum()` one after the other: the median over the rounds of both in turn. The floor is `sum` alone,",
        "which runs at the speed of memory.",
        "",
        "| | torch, one after the other | stepdbg | faster | floor | extra memory |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, tensor in tensors().items():
        statistics(tensor)
        theirs, mine, floors = alternating(
            ROUNDS,
            lambda tensor=tensor: seconds(lambda: naive(tensor)),
            lambda tensor=tensor: seconds(lambda: statistics(tensor)),
            lambda tensor=tensor: seconds(tensor.sum),
        )
        times = median([a / b for a, b in zip(theirs, mine, strict=True)])
        memory = extra_memory(lambda tensor=tensor: statistics(tensor))
        limit = {"float32": 1 / 10, "float32, mean 10": 1 / 4}.get(name)
        rows.append(Row(f"{name}: time against torch's functions", 1 / times, "×", limit))
        rows.append(Row(f"{name}: extra memory", memory, "MB", 16))
        cells = [f"{median(values) * 1e3:,.0f} ms" for values in (theirs, mine)]
        floor = f"{median(floors) * 1e3:,.0f} ms"
        lines.append(f"| {name} | {cells[0]} | {cells[1]} | {times:.1f}× | {floor} | {memory:.1f} MB |")
    return rows, lines


def of_windows() -> tuple[list[Row], list[str]]:
    """The rows, and the lines of the page."""
    rows: list[Row] = []
    lines = [
        "",
        f"A window of {ROWS} × {COLUMNS} numbers of a billion elements, from the question on the rank's socket to its",
        f"answer, at {MOVES} places; the first one also has statistics and a histogram made.",
        "",
        "| | median | slowest | answer | the first |",
        "| --- | --- | --- | --- | --- |",
    ]
    with debuggee(str(PROGRAMS / "huge_tensors.py"), cold=True) as training:
        training.stop()
        stop = training.go()
        assert stop is not None
        mine = next(place for place, frame in enumerate(stop.frames) if not frame.library)
        listed = {row.name: row.object for row in training.ask(m.ListLocals(mine)).rows}
        for name, what in (("bytes_", "uint8, 1,000 × 1,000 × 1,000"), ("expanded", "float32, expanded from one")):
            start = time.perf_counter()
            training.ask(m.LookAt(listed[name], rows=ROWS, columns=COLUMNS, bins=48))
            first = (time.perf_counter() - start) * 1e3
            times, size = [], 0
            for place in range(MOVES):
                row, column = (place * 24_989, place * 20) if name == "bytes_" else (0, place * 24_989_999)
                query = m.LookAt(listed[name], row, ROWS, column, COLUMNS, bins=48)
                start = time.perf_counter()
                answer = training.ask(query)
                times.append((time.perf_counter() - start) * 1e3)
                assert isinstance(answer, m.TensorView)
                size = max(size, len(frames.encode(m.Answer(0, answer))))
            rows.append(Row(f"window of a billion, {what}", median(times), "ms", 20))
            rows.append(Row(f"window of a billion, {what}: answer", size / 1e3, "KB", 1 + ROWS * COLUMNS * 8 / 1e3))
            cells = f"{median(times):.1f} ms | {max(times):.1f} ms | {size / 1e3:.1f} KB | {first:.0f} ms"
            lines.append(f"| {what} | {cells} |")
    return rows, lines


def main() -> int:
    """Measure, print, write, and say by the exit status whether the limits hold."""
    rows, lines = of_statistics()
    more, windows = of_windows()
    machine = f"Python {platform.python_version()}, torch {torch.__version__}, {os.cpu_count()} cores."
    write_section(TITLE, [*lines, *windows, "", machine])
    return table(TITLE, rows + more)


if __name__ == "__main__":
    sys.exit(main())
