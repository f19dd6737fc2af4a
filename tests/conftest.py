"""Fixtures that every folder of tests may use."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator

import pytest
from harness.deadline import deadline
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
settings.register_profile("quick", deadline=None, max_examples=20, derandomize=True)
settings.load_profile("stepdbg")
"""No test is timed: on a busy machine any example may take long. `make quick` has few examples, the same each time."""

TIMEOUT = 120.0
"""Seconds that one test may take on a quiet machine, with room for one that is shared."""
LONG = {"frameworks": 300.0, "scripts": 300.0}
"""The same by folder, for tests that run a program several times which imports half of a library, or compiles."""
PROCESSES = ("commands", "demos", "e2e", "frameworks", "scripts")
"""Folders of tests that start programs."""
STARTING = ("Popen", "Place", "bare", "debuggee", "real_hub", "subprocess", "keeper", "Recorder")
"""What a file of tests names that starts programs."""


A_STORY = "test_each_phase_shows_what_it_did_and_nothing_else[plain.py-80x24]"
"""The one test on a pty that belongs to `make quick`."""


REPEATS = {
    "160x50": "80x24", "100x30": "80x24", "[plain.py-": "[mnist.py-", "[trace]": "[headless]", "[trace-": "[headless-",
    "every_panel_opened_it_ends_in_the_same_bits[charlm.py]": "every_panel_opened_it_ends_in_the_same_bits[mnist.py]",
    "stepped_to_their_ends_change_no_bit[module]": "stepped_to_their_ends_change_no_bit[torchrun]",
    "changes_no_bit_and_says_nothing[module]": "changes_no_bit_and_says_nothing[torchrun]",
    "change_no_bit[shell]": "change_no_bit[torchrun]", "is_a_rank[one process]": "is_a_rank[two processes]",
    "bits_of_a_bare_one[plain.py]": "bits_of_a_bare_one[mnist.py]",
    "[compiled_aot_eager]": "[compiled_inductor]", "[accumulated-": "[forward first-",
    "[in a function-": "[forward first-", "[zero_grad last-": "[forward first-",
    "attach_comes_back[1]": "attach_comes_back[0]", "attach_comes_back[3]": "attach_comes_back[2]",
    "training_running_to_its_end[1]": "training_running_to_its_end[0]",
    "training_running_to_its_end[3]": "training_running_to_its_end[2]",
}  # fmt: skip
"""What a test of `make test-nightly` alone has in its name, and what the one has in its place that `make test` runs:
another size, another demo, another command of ours that goes the same way, another way to write `torchrun`, another
backend of `torch.compile`, another way to write a round, further moments for a kill."""


def is_repeat(item: pytest.Item, names: set[str]) -> bool:
    """Whether a test that starts programs, or plays every action, does again what another one does."""
    if item.get_closest_marker("process") is None and item.path.name != "test_every_action.py":
        return False
    return any(
        repeated in item.nodeid and item.nodeid.replace(repeated, first) in names for repeated, first in REPEATS.items()
    )


def tier(item: pytest.Item) -> str:
    """What a test costs: `process` where it starts programs, `stage` where it runs the app, else `text`."""
    named = vars(item.module) if isinstance(item, pytest.Function) else {}
    if item.path.parent.name in PROCESSES or any(name in named for name in STARTING):
        return "process"
    return "stage" if "stage" in named else "text"


LONG_FILES = (
    "test_launchers.py", "test_scripts.py", "test_frameworks.py", "test_as_under_python.py", "test_trace.py",
    "test_oracle_in_full.py", "test_launch.py", "test_kills.py", "test_oracle.py",
)  # fmt: skip
"""Files of tests that take longest: they are spread over the suite, so that no worker has them all, and none at its
end.
"""


def spread(items: list[pytest.Item]) -> list[pytest.Item]:
    """The tests in an order in which the long files lie evenly among all others. (The tests of a file stay together:
    they share what bare runs came to.)
    """
    others = [item for item in items if item.path.name not in LONG_FILES]
    found: list[pytest.Item] = []
    for number, name in enumerate(LONG_FILES):
        found += [item for item in items if item.path.name == name]
        found += others[len(others) * number // len(LONG_FILES) : len(others) * (number + 1) // len(LONG_FILES)]
    return found


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with what it costs, and let every one take as long as the machine needs."""
    items[:] = spread(items)
    names = {item.nodeid for item in items}
    for item in items:
        item.add_marker(tier(item))
        if is_repeat(item, names):
            item.add_marker("nightly")
        if item.name == A_STORY:
            item.add_marker("quick")
        if item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(deadline(LONG.get(item.path.parent.name, TIMEOUT))))


@pytest.fixture
def place() -> Iterator[Place]:
    """A runtime folder for this test alone; whatever was started in it is ended afterwards."""
    own = Place()
    yield own
    own.clean()
