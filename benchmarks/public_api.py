"""The public names outside a session: limit 1 µs a call."""

from __future__ import annotations

import sys
import timeit

import stepdbg
from measure import Row, table

CALLS = 200_000


def microseconds(statement: str) -> float:
    """The best of five runs, per call."""
    return min(timeit.repeat(statement, globals={"stepdbg": stepdbg}, number=CALLS, repeat=5)) / CALLS * 1e6


def main() -> int:
    """Measure, print, and say by the exit status whether the limits hold."""
    return table(
        "The public API outside a session",
        [
            Row('with stepdbg.phase("ema"): pass', microseconds('with stepdbg.phase("ema"): pass'), "µs", 1),
            Row("stepdbg.breakpoint()", microseconds("stepdbg.breakpoint()"), "µs", 1),
            Row('stepdbg.watch("acc", 0.5)', microseconds('stepdbg.watch("acc", 0.5)'), "µs", 1),
        ],
    )


if __name__ == "__main__":
    sys.exit(main())
