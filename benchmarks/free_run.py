"""A free run under `stepdbg run --headless` against bare python, the loop alone timed.

Limits: 1.02 times for updates of 5 ms; 30 µs per update for a loop that does next to nothing.
"""

from __future__ import annotations

import sys

from harness.place import STEPDBG, Place

from measure import PROGRAMS, Row, alternating, table


def seconds_per_update(*command: object) -> float:
    """As the program itself measured."""
    place = Place()
    try:
        done = place.run(*map(str, command), seconds=120)
        assert done.returncode == 0, done.stderr
        return float(done.stdout)
    finally:
        place.clean()


def side_by_side(kind: str, updates: int, rounds: int) -> tuple[float, float]:
    """The fastest of bare and of traced, in seconds per update: load can only add to either."""
    script = PROGRAMS / "loop.py"
    bare, traced = alternating(
        rounds,
        lambda: seconds_per_update(sys.executable, script, kind, updates),
        lambda: seconds_per_update(STEPDBG, "run", "--headless", script, kind, updates),
    )
    return min(bare), min(traced)


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold."""
    tiny, traced_tiny = side_by_side("tiny", 20_000, 5)
    real, traced_real = side_by_side("5ms", 600, 5)
    return table(
        "A free run, the fastest stretch of 5 runs each",
        [
            Row("tiny loop, bare", tiny * 1e6, "µs"),
            Row("tiny loop, under stepdbg", traced_tiny * 1e6, "µs"),
            Row("cost per update", (traced_tiny - tiny) * 1e6, "µs", 30),
            Row("real updates, bare", real * 1e3, "ms"),
            Row("real updates, under stepdbg", traced_real * 1e3, "ms"),
            Row("ratio", traced_real / real, "×", 1.02),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
