"""First paint: `stepdbg demos/mnist.py` against a Textual app with one label, from exec to the first painted content.

Limit: 1.25 times, however long torch takes. The two run in turn, and each pair gives a ratio: a busy moment of the
machine is in both of a pair or spoils only one. The middle one of the ratios is held against the limit; how far they
spread is printed with it, since a median of pairs that lie far apart says little.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

from harness.place import DEMOS, STEPDBG, Place

from measure import PROGRAMS, Row, alternating, median, section

ROUNDS = 25
LIMIT = 1.25


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
    labels, ours = alternating(ROUNDS, label, stepdbg)
    ratios = [b / a for a, b in zip(labels, ours, strict=True)]
    low, _, high = statistics.quantiles(ratios, n=4)
    return section(
        "First paint",
        [
            Row("a Textual app with one label", median(labels), "s"),
            Row("stepdbg demos/mnist.py", median(ours), "s"),
            Row("ratio, median of the pairs", median(ratios), "×", LIMIT),
            Row("ratio, lower quartile", low, "×"),
            Row("ratio, upper quartile", high, "×"),
        ],
        [f"`benchmarks/first_paint.py`: from the command to the first picture, {ROUNDS} pairs in turn."],
    )


if __name__ == "__main__":
    sys.exit(main())
