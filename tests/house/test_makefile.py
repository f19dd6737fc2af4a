"""What `make` would do: the demo asks for nothing that only developers need."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

HOUSE = Path(__file__).parents[2]


@pytest.mark.skipif(shutil.which("make") is None, reason="there is no make")
@pytest.mark.parametrize(("target", "extras"), [("demo", False), ("test", True), ("lint", True)])
def test_the_demo_installs_what_runs_and_the_rest_what_developers_need(target: str, extras: bool) -> None:
    # -W: as if what is to be installed had just changed
    told = subprocess.run(["make", "-n", "-W", "pyproject.toml", target], cwd=HOUSE, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr
    installs = [line for line in told.stdout.splitlines() if " pip install " in line]
    assert installs[0].endswith(" -e .")
    assert any("dev,frameworks" in line for line in installs) == extras
    assert "installing stepdbg with torch into .venv" in told.stdout, "a long wait says what it is for"
