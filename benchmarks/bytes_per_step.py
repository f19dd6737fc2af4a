"""Bytes to the terminal for one step (medians): with the Model panel in front 4 KB at 80×24, else 10 KB; with heat maps
or pictures in view 16 KB.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

from harness.place import DEMOS, Place
from harness.terminal import Terminal

from measure import Row, median, next_phase, section, table

STEPS = 35
SMALL, MEDIUM, WIDE = (80, 24), (100, 30), (160, 50)
LARGE = "fc1"
"""The layer with the largest weight, 32×1352."""


HOW = [
    "`benchmarks/bytes_per_step.py` presses `n` on `demos/mnist.py` in a terminal, with one view after the other in",
    "front, and counts what comes until the screen is quiet.",
]


class View(NamedTuple):
    """What is looked at while stepping."""

    name: str
    size: tuple[int, int]
    limit: int
    open: Callable[[Terminal], None]
    """Brings it into view, at a stop after the first update."""


def model(terminal: Terminal) -> None:
    """The Model panel."""
    terminal.press("1")


def weight(terminal: Terminal) -> None:
    """The Tensor panel with the largest weight."""
    terminal.press("1", "home")
    terminal.read_for(0.3)
    terminal.click_on(LARGE)
    terminal.press("down", "enter")
    terminal.wait_for(f"model.{LARGE}.weight")


def maps(terminal: Terminal) -> None:
    """Heat maps alone."""
    weight(terminal)
    terminal.read_for(0.5)
    while terminal.text.count("▌") < 8 or terminal.text.count("0.0") > 60:
        terminal.press("m")
        terminal.read_for(0.7)


def zoomed(terminal: Terminal) -> None:
    """Heat maps of value, gradient and both moments, over the whole screen."""
    weight(terminal)
    terminal.press("z")
    terminal.wait_for("exp_avg_sq")
    terminal.read_for(0.5)
    terminal.press("m", "m")


def pictures(terminal: Terminal) -> None:
    """The digits of the batch."""
    terminal.press("1", "end", *["up"] * 3, "enter")
    terminal.wait_for("y=")


VIEWS = (
    View("80×24, Model", SMALL, 4096, model),
    View("100×30, Model", MEDIUM, 10240, model),
    View("160×50, Model", WIDE, 10240, model),
    View("80×24, heat maps", SMALL, 16384, maps),
    View("160×50, heat maps and numbers", WIDE, 16384, weight),
    View("160×50, heat maps over the whole screen", WIDE, 16384, zoomed),
    View("80×24, pictures", SMALL, 16384, pictures),
    View("160×50, pictures", WIDE, 16384, pictures),
)


def bytes_of_steps(view: View) -> dict[str, list[int]]:
    """Bytes from each key until the screen is still, by the phase that was run."""
    place = Place()
    try:
        terminal = place.stepdbg(DEMOS / "mnist.py", size=view.size)
        terminal.wait_for("PAUSED", seconds=60)
        for _ in range(6):
            step(terminal)
        view.open(terminal)
        terminal.read_for(1.0)
        found: dict[str, list[int]] = {}
        for _ in range(STEPS):
            before = len(terminal.transcript)
            phase = step(terminal)
            terminal.read_for(0.4)
            found.setdefault(phase, []).append(len(terminal.transcript) - before)
        return found
    finally:
        place.clean()


def step(terminal: Terminal) -> str:
    """Run the next phase; which."""
    phase = next_phase(terminal)
    terminal.press("n")
    terminal.wait_until(lambda: next_phase(terminal) not in (None, phase), f"the end of {phase}")
    return str(phase)


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold. Arguments choose views by their names."""
    rows = []
    for view in VIEWS:
        if sys.argv[1:] and not any(word in view.name for word in sys.argv[1:]):
            continue
        by_phase = bytes_of_steps(view)
        values = [number for numbers in by_phase.values() for number in numbers]
        costly = max(by_phase, key=lambda phase: median(by_phase[phase]))
        rows.append(Row(f"{view.name}: median", median(values), "bytes", view.limit))
        rows.append(Row(f"{view.name}: most of {STEPS}", max(values), "bytes"))
        rows.append(Row(f"{view.name}: median of {costly}", median(by_phase[costly]), "bytes"))
    title = "Bytes to the terminal for one step"
    return table(title, rows) if sys.argv[1:] else section(title, rows, HOW)


if __name__ == "__main__":
    sys.exit(main())
