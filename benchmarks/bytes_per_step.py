"""Bytes to the terminal for one step with the Model panel in front: limits 4 KB at 80×24, 10 KB at 160×50 (medians)."""

from __future__ import annotations

import sys

from harness.place import DEMOS, Place

from measure import Row, median, next_phase, table

STEPS = 35


def bytes_of_steps(size: tuple[int, int]) -> list[int]:
    """Bytes from each key until the screen is still."""
    place = Place()
    try:
        terminal = place.stepdbg(DEMOS / "mnist.py", size=size)
        terminal.wait_for("PAUSED", seconds=60)
        terminal.press("1")
        terminal.read_for(1.0)
        found = []
        for _ in range(STEPS):
            phase = next_phase(terminal)
            before = len(terminal.transcript)
            terminal.press("n")
            terminal.wait_until(lambda phase=phase: next_phase(terminal) not in (None, phase), f"the end of {phase}")
            terminal.read_for(0.4)
            found.append(len(terminal.transcript) - before)
        return found
    finally:
        place.clean()


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold."""
    rows = []
    for size, limit in (((80, 24), 4096), ((160, 50), 10240)):
        values = bytes_of_steps(size)
        name = f"{size[0]}×{size[1]}"
        rows.append(Row(f"{name}: median", median(values), "bytes", limit))
        rows.append(Row(f"{name}: most of {STEPS}", max(values), "bytes"))
    return table("Bytes per step, Model panel in front, demos/mnist.py", rows)


if __name__ == "__main__":
    sys.exit(main())
