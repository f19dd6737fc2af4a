"""A model of 100,000 parameters' tensors: what a stop takes, and how soon the Model panel opens, filters and scrolls.

Limits: 100 ms from a key to what it shows on the screen, 150 MB for the client. What a stop takes is told phase by
phase, from the key to the stop on the screen, less the time of the phase itself.
"""

from __future__ import annotations

import os
import platform
import re
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path

from harness.place import Place
from harness.terminal import Terminal

from measure import PROGRAMS, Row, median, next_phase, shown_ms, table
from page import write_section

SIZE = (100, 30)
SCROLLS = 40
STEPS = 15
LINE = "blocks.1234 class:LayerNorm"
TITLE = "100,000 parameters' tensors"
LIMIT = 100
BLOCKS = 12_500
PARTS = {"mix": "linear", "norm": "layernorm", "up": "linear", "down": "linear"}
"""What a block holds, and of which class: each a weight and a bias."""
AROUND = ("many", "modulelist", "block")


def pause(terminal: Terminal, keys: tuple[str, ...], shows: Callable[[], object] = lambda: True) -> float:
    """Milliseconds from these keys to a screen that is another one, and shows that."""
    terminal.read_for(0.4)
    before = terminal.text
    pressed = time.perf_counter()
    terminal.press(*keys)
    terminal.wait_until(lambda: terminal.text != before and shows(), f"what {keys} shows", 60)
    return (terminal.arrived - pressed) * 1000


def in_view(terminal: Terminal) -> str:
    """Which rows the title says are in view."""
    found = re.search(r"([\d,]+-[\d,]+ of [\d,]+)", terminal.text)
    return found[1] if found else ""


def whole(terminal: Terminal) -> bool:
    """Whether no row in view is still to come."""
    return not any(line.strip() == "…" for line in terminal.lines)


def resident(pid: int) -> float:
    """MB of a process in memory."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) / 1000


def scrolled(terminal: Terminal) -> list[float]:
    """Milliseconds from each of many keys to all the rows that it brings into view."""
    keys = ("end", "pageup", "pageup", "home", "pagedown", "pagedown")
    return [pause(terminal, (keys[turn % len(keys)],), lambda: whole(terminal)) for turn in range(SCROLLS)]


def found_by(line: str) -> int:
    """How many tensors that filter finds, counted here."""
    names = [word for word in line.split() if not word.startswith("class:")]
    classes = [word.removeprefix("class:").lower() for word in line.split() if word.startswith("class:")]
    return sum(
        all(name in f"model.blocks.{block}.{part}.{kind}" for name in names)
        and all(PARTS[part].startswith(cls) or cls in AROUND for cls in classes)
        for block in range(BLOCKS)
        for part in PARTS
        for kind in ("weight", "bias")
    )


def shows(terminal: Terminal, line: str, found: int) -> bool:
    """Whether that filter and what it finds are on the screen."""
    title = re.search(rf"/ {re.escape(line)}\S* +([\d,]+) tensors?\b", terminal.text)
    return title is not None and int(title[1].replace(",", "")) == found and whole(terminal)


def filtered(terminal: Terminal) -> list[Row]:
    """A filter typed letter by letter, and in one go."""
    pause(terminal, ("/",))
    letters, answers = [], []
    for place, key in enumerate(LINE, 1):
        typed = LINE[:place].rstrip()
        found = found_by(typed)
        terminal.read_for(0.3)
        pressed = time.perf_counter()
        terminal.press("space" if key == " " else key)
        terminal.wait_until(lambda typed=typed: f"/ {typed}" in terminal.text, f"{typed} in the filter", 60)
        letters.append((terminal.arrived - pressed) * 1000)
        terminal.wait_until(lambda typed=typed, found=found: shows(terminal, typed, found), f"what {typed} finds", 60)
        answers.append((terminal.arrived - pressed) * 1000)
    terminal.press("escape")
    terminal.read_for(1.0)
    pause(terminal, ("/",))
    keys = tuple("space" if key == " " else key for key in LINE)
    at_once = pause(terminal, keys, lambda: shows(terminal, LINE, found_by(LINE)))
    terminal.press("escape")
    terminal.read_for(1.0)
    return [
        Row("a letter of a filter, until it is seen: worst", max(letters), "ms", LIMIT),
        Row("a letter of a filter, until its tensors are: worst", max(answers), "ms", LIMIT),
        Row(f"a filter of {len(LINE)} letters typed in one go", at_once, "ms"),
    ]


def stepped(terminal: Terminal) -> list[Row]:
    """What stops take, by the phase that was done."""
    took: dict[str, list[float]] = {}
    for _ in range(STEPS):
        phase = next_phase(terminal)
        assert phase is not None
        waited = pause(terminal, ("n",), lambda phase=phase: next_phase(terminal) not in (None, phase))
        terminal.read_for(2.0)
        took.setdefault(phase, []).append(waited - shown_ms(terminal, phase))
    return [Row(f"a stop after {phase}: median", median(times), "ms") for phase, times in took.items()]


def main() -> int:
    """Measure, print, write, and say by the exit status whether the limits hold."""
    place = Place()
    try:
        terminal = place.stepdbg(PROGRAMS / "many_tensors.py", size=SIZE, OMP_NUM_THREADS="2")
        terminal.wait_for("PAUSED", seconds=120)
        terminal.wait_for("blocks", seconds=60)
        terminal.press("1", "z")
        rows = [Row("all modules opened", pause(terminal, ("+",), lambda: in_view(terminal)), "ms", LIMIT)]
        scrolls = scrolled(terminal)
        rows += [Row("a key that scrolls, until its rows are seen: median", median(scrolls), "ms", LIMIT),
                 Row("a key that scrolls, until its rows are seen: worst", max(scrolls), "ms", LIMIT)]  # fmt: skip
        rows += filtered(terminal)
        rows += stepped(terminal)
        rows.append(Row("memory of the client", resident(terminal.pid), "MB", 150))
    finally:
        place.clean()
    write_section(TITLE, section(rows))
    return table(f"{TITLE}, Model panel", rows)


def section(rows: list[Row]) -> list[str]:
    """Of `docs/benchmarks.md`."""
    columns, lines = SIZE
    told = [f"| {row.what} | {row.figure:,.0f} {row.unit} | {row.limit or ''} |" for row in rows]
    machine = f"Python {platform.python_version()}, torch {version('torch')}, {os.cpu_count()} cores."
    return [
        f"Written by `make bench` (`benchmarks/many_tensors.py`), on a terminal of {columns} by {lines}: from the key",
        "to what it shows. Of a stop the time of the phase itself is taken off; what is left is mostly the training",
        "process's, which looks at each tensor before and after.",
        "",
        "| | | limit |",
        "| --- | --- | --- |",
        *told,
        "",
        machine,
    ]


if __name__ == "__main__":
    sys.exit(main())
