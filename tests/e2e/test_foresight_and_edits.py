"""The next step foretold on a real terminal and kept by Adam; edits taken back; and the bits of the run."""

from __future__ import annotations

import sys

from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import leave, move, printed, step_to

ARGUMENTS = (DEMOS / "mnist.py", "--updates", "2", "--digest")


def test_a_step_is_foretold_and_kept_and_what_is_edited_and_taken_back_changes_no_bit(place: Place) -> None:
    bare = place.terminal([sys.executable, *ARGUMENTS])
    assert bare.wait_exit(60) == 0

    terminal = place.stepdbg(*warm.option(), *ARGUMENTS)
    step_to(terminal, "backward")
    terminal.press("1", "home", "down", "down", "e")
    terminal.wait_for("model.conv.weight  =", "part of it")
    terminal.press(*"old*2", "enter")
    terminal.wait_for("→")
    terminal.press("tab", *"[0]")
    terminal.wait_for("model.conv.weight[0]  =", "enter: preview")
    terminal.press("enter")
    terminal.wait_for("model.conv.weight[0]", "under autograd's feet: backward goes on")
    terminal.press("enter")
    terminal.wait_for_no("under autograd's feet")
    terminal.press("x")
    terminal.wait_for("undone: model.conv.weight[0]")
    move(terminal, "n")  # backward does not refuse: it is as if nothing had been written

    terminal.press("W")
    terminal.wait_for("step comes next", "gradient", "together")
    move(terminal, "n")
    terminal.wait_for("as foretold: step 1 moved 72 elements")
    terminal.press("escape")
    terminal.wait_for_no("as foretold")
    terminal.press("4")
    terminal.wait_for("betas", "[1]")

    terminal.press("c")
    terminal.wait_for("at the end of the script", seconds=60)
    assert printed(place) == bytes(bare.transcript)
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
