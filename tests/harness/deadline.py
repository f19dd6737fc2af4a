"""How long a test waits at most: one figure scales every deadline, for a slow machine or one that is shared."""

from __future__ import annotations

import os

PATIENCE = float(os.environ.get("STEPDBG_TEST_PATIENCE", "1"))
"""What every deadline is multiplied by."""


def deadline(seconds: float) -> float:
    """The seconds that are waited at most, where a quiet machine would be given so many."""
    return seconds * PATIENCE
