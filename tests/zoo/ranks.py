"""Scripts of the zoo that train in several processes: run by the command, whose hub hears of all of them."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec
from harness import warm
from harness.deadline import deadline
from hub.room import runtime

from stepdbg.protocol.messages import Checked, Finding


def has_ranks(script: Path) -> bool:
    """Whether a script starts further processes that train."""
    return "mp.start_processes(" in script.read_text()


def told_by_command(script: Path, updates: int) -> tuple[list[Finding], Checked, str]:
    """What `stepdbg check` finds, what it says of the run, and what the script has printed."""
    command = [
        sys.executable,
        "-m",
        "stepdbg",
        "check",
        *warm.option(),
        "--updates",
        str(updates),
        "--ignore",
        "slow-phase",
        "--json",
        str(script),
    ]
    with runtime():
        done = subprocess.run(command, capture_output=True, timeout=deadline(200), check=False)
    told = json.loads(done.stdout)
    assert not told["ending"], (told["ending"], done.stderr)
    findings = [msgspec.convert({key: one[key] for key in one if key != "page"}, Finding) for one in told["findings"]]
    checked = Checked(told["updates"], tuple(told["right"]), tuple(told["unchecked"]))
    return findings, checked, done.stderr.decode()
