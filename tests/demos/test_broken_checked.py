"""The three mistakes of `demos/broken.py`, named by one command each, and the healthy run by none."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from harness.place import STEPDBG, Place

BROKEN = Path(__file__).parents[2] / "demos" / "broken.py"
NAMED = {
    "--no-zero-grad": {"stale-gradients"},
    "--forgotten-layer": {"orphan-in-optimizer"},
    "--double-softmax": {"activated-logits"},
    "--epochs=1": set[str](),
}


@pytest.mark.parametrize("option", NAMED)
def test_check_names_the_mistake_in_one_command(option: str, place: Place) -> None:
    command = [STEPDBG, "check", "--json", BROKEN, option]
    env = {**os.environ, "STEPDBG_RUNTIME_DIR": str(place.runtime)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
    told = json.loads(done.stdout)
    rules = {one["rule"] for one in told["findings"] if one["severity"] != "info"}
    assert rules == NAMED[option]
    assert done.returncode == bool(rules)
    assert told["updates"] == 20
    assert all(one["line"] and one["cause"] and one["fix"] for one in told["findings"] if one["severity"] != "info")
