"""A target for the real program that needs no torch: `stepdbg -m stepdbg.testing [UPDATES] [SECONDS_PER_PHASE]`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from stepdbg.protocol.runtime_folder import SESSION_VARIABLE
from stepdbg.testing import FakeDebuggee


def main() -> int:
    """Train in the session that the environment names."""
    folder = os.environ.get(SESSION_VARIABLE)
    if not folder:
        print("stepdbg.testing: start me under stepdbg: `stepdbg -m stepdbg.testing`", file=sys.stderr)
        return 2
    updates = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000
    pace = float(sys.argv[2]) if len(sys.argv) > 2 else 0.0
    FakeDebuggee(Path(folder), updates=updates, pace=pace, echo=sys.stdout).train()
    return 0


if __name__ == "__main__":
    sys.exit(main())
