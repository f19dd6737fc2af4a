"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from harness.place import Place
from hypothesis import settings

os.environ["OMP_NUM_THREADS"] = "1"
"""For every program that a test starts: several share two cores, and the number of threads is part of the bits."""

signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""As a user's shell has it: nohup, and a shell that starts the suite in the background, have all that it starts ignore
them.
"""

pytest.register_assert_rewrite("scripts.checking")
"""What several files of tests check tells as much when it does not hold."""

settings.register_profile("stepdbg", deadline=None)
settings.load_profile("stepdbg")
"""No test is timed: on a busy machine any example may take long."""


@pytest.fixture
def place() -> Iterator[Place]:
    """A runtime folder for this test alone; whatever was started in it is ended afterwards."""
    own = Place()
    yield own
    own.clean()
