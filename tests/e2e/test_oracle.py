"""The oracle: a demo's output and final weights are the same bits bare, free-running under stepdbg, and stepped."""

from __future__ import annotations

import sys

import pytest
from harness.place import DEMOS, STEPDBG, Place
from harness.stepping import leave, printed, step_to, wait_stop

ARGUMENTS = {"mnist.py": ("--updates", "4", "--digest"), "plain.py": ("--epochs", "2", "--updates", "3", "--digest")}


@pytest.mark.parametrize("demo", ARGUMENTS)
def test_free_stepped_and_continued_a_run_ends_in_the_bits_of_a_bare_one(place: Place, demo: str) -> None:
    terminal = place.terminal([sys.executable, DEMOS / demo, *ARGUMENTS[demo]])
    assert terminal.wait_exit(60) == 0
    bare = bytes(terminal.transcript)
    assert b"digest " in bare

    terminal = place.terminal([STEPDBG, "run", "--headless", DEMOS / demo, *ARGUMENTS[demo]])
    assert terminal.wait_exit(60) == 0
    assert bytes(terminal.transcript) == bare
    place.wait_empty()

    terminal = place.stepdbg(DEMOS / demo, *ARGUMENTS[demo])
    step_to(terminal, None, limit=80)
    stepped = printed(place)
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
    assert stepped == bare
    place.wait_empty()

    terminal = place.stepdbg(DEMOS / demo, *ARGUMENTS[demo])
    wait_stop(terminal)
    terminal.press("c")
    terminal.wait_for("at the end of the script", seconds=60)
    assert printed(place) == bare
