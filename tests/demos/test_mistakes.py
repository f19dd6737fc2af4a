"""`docs/mistakes.md` quotes what `stepdbg check` says of six famous mistakes, in one command each."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from harness.place import STEPDBG, Place

ROOT = Path(__file__).parents[2]
QUOTED = re.findall(
    r"^`(tests/zoo/[\w/]+\.py)`.*?^```\n(.*?)^```", (ROOT / "docs" / "mistakes.md").read_text(), re.M | re.S
)


def test_there_are_six() -> None:
    assert len(QUOTED) == 6


@pytest.mark.parametrize(("script", "quoted"), QUOTED, ids=[script.split("/")[2] for script, _ in QUOTED])
def test_what_is_quoted_is_said(script: str, quoted: str, place: Place) -> None:
    env = {**os.environ, "STEPDBG_RUNTIME_DIR": str(place.runtime)}
    done = subprocess.run([STEPDBG, "check", script], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert quoted in done.stdout
