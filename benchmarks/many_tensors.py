"""A model of 100,000 parameters' tensors: what a stop takes, and how soon the Model panel opens, filters and scrolls.

Limit: 100 ms from a key to its first sign on the screen, 150 MB for the client.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

from harness.place import Place
from harness.terminal import Terminal

from measure import PROGRAMS, Row, median, next_phase, shown_ms, table

SIZE = (100, 30)
SCROLLS = 40
STEPS = 12


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


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold."""
    place = Place()
    try:
        terminal = place.stepdbg(PROGRAMS / "many_tensors.py", size=SIZE, OMP_NUM_THREADS="2")
        terminal.wait_for("PAUSED", seconds=120)
        terminal.wait_for("blocks", seconds=60)
        terminal.press("1", "z")
        rows = [Row("all modules opened", pause(terminal, ("+",), lambda: in_view(terminal)), "ms", 100)]
        scrolls = []
        for place_ in range(SCROLLS):
            key = ("end", "pageup", "pageup", "home", "pagedown", "pagedown")[place_ % 6]
            scrolls.append(pause(terminal, (key,), lambda: whole(terminal)))
        rows += [
            Row("scrolled: median", median(scrolls), "ms", 100), Row("scrolled: worst", max(scrolls), "ms"),
        ]  # fmt: skip
        found = lambda: re.search(r"/ \S+ +[\d,]+ tensors?", terminal.text)  # noqa: E731
        terminal.press("/")
        typed = [pause(terminal, (key,), lambda key=key: f" / {key}" in terminal.text) for key in "b"]
        terminal.wait_until(found, "what b finds", 60)
        for words in ("lo", "cks.1", "234"):
            typed.append(pause(terminal, tuple(words)))
            terminal.wait_until(found, "what is found", 60)
        rows += [Row("a letter of a filter: worst", max(typed), "ms", 100)]
        rows.append(Row("filter by class and name", pause(
            terminal, (" ", *"class:LayerNorm"), lambda: " 2 tensors" in terminal.text or " 22 tensors" in terminal.text
        ), "ms"))  # fmt: skip
        terminal.press("escape")
        terminal.read_for(1.0)
        steps = []
        for _ in range(STEPS):
            phase = next_phase(terminal)
            assert phase is not None
            took = pause(terminal, ("n",), lambda phase=phase: next_phase(terminal) not in (None, phase))
            terminal.read_for(2.0)
            steps.append(took - shown_ms(terminal, phase))
        rows += [Row("a stop with effects: median", median(steps), "ms"), Row("a stop: worst", max(steps), "ms")]
        rows.append(Row("memory of the client", resident(terminal.pid), "MB", 150))
        return table("100,000 parameters' tensors, Model panel", rows)
    finally:
        place.clean()


if __name__ == "__main__":
    sys.exit(main())
