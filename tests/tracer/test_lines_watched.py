"""Lines that are waited for call back before they run, in each Python that there is, without torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from harness.interpreters import interpreter
from harness.place import ROOT

VERSIONS = ("3.11", "3.12", "3.13", "3.14")
PROGRAM = Path(__file__).with_name("watched_program.py")
EXPECTED = {
    "a loop that runs already": ["running"] * 4,
    "again, after it was run": ["running"] * 6,
    "a generator that was begun before": ["generator"],
    "recursion": ["recursion"] * 4,
    "what a compiler has made": [],
    "exceptions through the frame": ["leaves"] * 3,
    "a function that a decorator hides": ["hidden"],
    "code that comes later": ["later", "<module>"],
    "what fails of ours": ["of ours"],
    "let go": [],
    "taken up again": ["recursion"] * 2,
}


@cache
def reached(version: str) -> dict[str, Any]:
    python = sys.executable if version == "3.11" else interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    path = {"PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [python, str(PROGRAM)], capture_output=True, text=True, check=False, env={**os.environ, **path}
    )
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("what", EXPECTED)
@pytest.mark.parametrize("version", VERSIONS)
def test_a_line_that_is_waited_for_calls_back_each_time_before_it_runs(version: str, what: str) -> None:
    assert reached(version)[what] == EXPECTED[what]


@pytest.mark.parametrize("version", VERSIONS)
def test_a_statement_of_several_lines_calls_back_once_and_a_comprehension_on_several_for_each_round(
    version: str,
) -> None:
    rounds = "<listcomp>" if version == "3.11" else "calls"
    found = reached(version)["once per statement, each time in a comprehension"]
    assert found == ["calls", rounds, rounds, rounds, "calls"]


@pytest.mark.parametrize("version", VERSIONS)
def test_nothing_is_left_behind_and_other_tools_stay(version: str) -> None:
    found = reached(version)
    if version == "3.11":
        assert found["trace left"] is None
        assert found["in another thread"] == []
        assert "has a trace function of its own" in found["another traces"]
        assert found["it stays"]
    else:
        assert found["tools left"] == [0, 1, 2, 3, 4, 5]
        assert found["no tool is left"].startswith("other tools of this process (tool 4, tool 3, tool 5)")
