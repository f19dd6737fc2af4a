"""First paint: `stepdbg demos/mnist.py` against a Textual app with one label, from exec to the first painted content.

Limit: 1.3 times, however long torch takes.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

from harness.place import DEMOS, STEPDBG, Place

from measure import PROGRAMS, Row, alternating, median, section

ROUNDS = 9


def seconds_to_paint(*command: str | Path) -> float:
    """From exec until something stands on the screen."""
    place = Place()
    try:
        terminal = place.terminal(command)
        terminal.wait_until(lambda: terminal.text.strip(), "the first paint")
        return time.perf_counter() - terminal.started
    finally:
        place.clean()


def main() -> int:
    """Measure, print, and say by the exit status whether the limit holds."""
    label = lambda: seconds_to_paint(sys.executable, PROGRAMS / "one_label.py")  # noqa: E731
    stepdbg = lambda: seconds_to_paint(STEPDBG, DEMOS / "mnist.py")  # noqa: E731
    alternating(1, label, stepdbg)  # fills the caches of both
    a, b = (median(values) for values in alternating(ROUNDS, label, stepdbg))
    return section(
        "First paint",
        [
            Row("a Textual app with one label", a, "s"),
            Row("stepdbg demos/mnist.py", b, "s"),
            Row("ratio", b / a, "×", 1.3),
        ],
        [f"`benchmarks/first_paint.py`: from the command to the first picture, medians of {ROUNDS} in turn."],
    )


if __name__ == "__main__":
    sys.exit(main())
