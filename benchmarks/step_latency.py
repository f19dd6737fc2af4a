"""From the key `n` to the painted stop, less the phase's own time. Limit: 50 ms, median, demo and 10 M parameters."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from harness.place import DEMOS, Place

from measure import PROGRAMS, Row, median, next_phase, section, shown_ms

STEPS = 48
HOW = [
    "`benchmarks/step_latency.py` presses `n` in a terminal, and takes the time until the screen has the next stop,",
    "less the time that the phase itself took.",
]


def latencies(script: Path, size: tuple[int, int]) -> list[float]:
    """Milliseconds from each key to its painted stop, less what the rail says that the phase took."""
    place = Place()
    try:
        terminal = place.stepdbg(script, size=size, OMP_NUM_THREADS="2")
        terminal.wait_for("PAUSED", seconds=60)
        found = []
        for _ in range(STEPS):
            terminal.read_for(0.3)  # the panels' answers have come; a user reads for longer
            phase = next_phase(terminal)
            assert phase is not None, terminal.picture()
            pressed = time.perf_counter()
            terminal.press("n")
            terminal.wait_until(lambda phase=phase: next_phase(terminal) not in (None, phase), f"the end of {phase}")
            painted = terminal.arrived  # what the emulator takes to draw is not ours
            terminal.read_for(0.1)
            found.append((painted - pressed) * 1000 - shown_ms(terminal, phase))
        return found
    finally:
        place.clean()


def main() -> int:
    """Measure, print, and say by the exit status whether the limit holds."""
    rows = []
    for what, script in (("demos/mnist.py", DEMOS / "mnist.py"), ("10 M parameters, Adam", PROGRAMS / "mlp.py")):
        for size in ((80, 24), (100, 30), (160, 50)):
            values = latencies(script, size)
            name = f"{what}, {size[0]}×{size[1]}"
            rows.append(Row(f"{name}: median", median(values), "ms", 50))
            rows.append(Row(f"{name}: worst of {STEPS}", max(values), "ms"))
    return section("From key to painted stop", rows, HOW)


if __name__ == "__main__":
    sys.exit(main())
