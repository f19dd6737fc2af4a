"""`accelerate launch`: the processes that train join the session, and compute what they compute without it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from frameworks.running import Outcome, needs, outcome, phases, read_trace, script
from harness.place import STEPDBG, Place

ACCELERATE = Path(sys.executable).parent / "accelerate"
ALONE = ("--cpu", "--num_processes", "1")
IN_PAIRS = ("--multi_gpu", "--num_processes", "2", "--main_process_port", "0")
"""What starts two processes, also where the script asks for the CPU: they meet over gloo."""
COMMON = (
    "--num_machines",
    "1",
    "--mixed_precision",
    "no",
    "--dynamo_backend",
    "no",
    "--num_cpu_threads_per_process",
    "1",
)

PAIRED = [
    "data data forward loss backward data forward loss backward clip step scheduler scheduler zero_grad",
    "data data forward loss backward data forward loss backward clip step scheduler scheduler zero_grad eval",
]
"""Each of two processes gets every other batch, and accelerate moves the scheduler on once for each of them."""


def sorted_lines(run: Outcome) -> tuple[int, list[str]]:
    """Exit status and lines: two processes write in any order."""
    return run.status, sorted(run.stdout.splitlines())


@pytest.mark.parametrize("options", [ALONE, IN_PAIRS], ids=["one process", "two processes"])
def test_a_launched_loop_computes_the_same_and_each_process_is_a_rank(
    options: tuple[str, ...], place: Place, tmp_path: Path
) -> None:
    needs("accelerate")
    command = (ACCELERATE, "launch", *options, *COMMON, script("accelerate_loop.py"))
    bare = sorted_lines(outcome(place.run(*command, seconds=120)))
    assert bare[0] == 0
    trace = tmp_path / "trace.jsonl"
    assert sorted_lines(outcome(place.run(STEPDBG, "trace", "-o", trace, *command, seconds=120))) == bare
    ranks: dict[int, list[Any]] = {}
    for boundary in read_trace(trace):
        ranks.setdefault(boundary.rank, []).append(boundary)
    assert sorted(ranks) == list(range(int(options[options.index("--num_processes") + 1])))
    if len(ranks) == 2:
        assert [phases(boundaries) for boundaries in ranks.values()] == [PAIRED, PAIRED]
    assert sorted_lines(outcome(place.run(STEPDBG, "run", "--headless", *command, seconds=120))) == bare
    place.wait_empty()
