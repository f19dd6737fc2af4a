"""Digits as pictures, heat maps, files and the clipboard, on a real terminal; and the bits of the run."""

from __future__ import annotations

import base64
import sys
from pathlib import Path

from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import leave, move, printed, step_to
from safetensors.torch import load_file

ARGUMENTS = (DEMOS / "mnist.py", "--updates", "2", "--digest")


def test_digits_are_seen_with_their_labels_and_what_is_kept_changes_no_bit(place: Place, tmp_path: Path) -> None:
    bare = place.terminal([sys.executable, *ARGUMENTS])
    assert bare.wait_exit(60) == 0

    terminal = place.stepdbg(*warm.option(), *ARGUMENTS, cwd=tmp_path)
    step_to(terminal, "forward")
    terminal.press("1", "end", "up", "enter")  # x, the images
    terminal.wait_for("x [0, 0, 0, 0]", "0 y=", "1 y=", "▀")
    terminal.press("right")
    terminal.wait_for("›1 y=", "x [1, 0, 0, 0]", "2 of 64")
    terminal.press("m")
    terminal.wait_for_no("y=")
    step_to(terminal, "data")

    terminal.press("1", "home", "down", "down", "enter")
    terminal.wait_for("model.conv.weight", "exp_avg_sq")
    terminal.press("m")
    terminal.wait_for("a", "slices 0-", "▌▌▌▌▌▌▌▌")
    for _ in range(5):
        move(terminal, "n")
    terminal.press("ctrl+s")
    terminal.wait_for("the whole state", "enter saves")
    terminal.press("down", "down", "down", "down", "enter")
    terminal.wait_for("saved 43 tensors")
    (saved,) = tmp_path.iterdir()
    assert saved.name == "mnist-update2-after-backward-state.safetensors"
    assert load_file(saved)["optimizer.state[model.conv.weight].exp_avg"].shape == (8, 1, 3, 3)

    before = len(terminal.transcript)
    terminal.press("1", "home", "y")
    copied = base64.b64encode(b"model")
    terminal.wait_until(lambda: b"\x1b]52;c;" + copied + b"\x07" in terminal.transcript[before:], "the clipboard")

    terminal.press("c")
    terminal.wait_for("at the end of the script", seconds=60)
    assert printed(place) == bytes(bare.transcript)
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
