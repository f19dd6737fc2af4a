"""Watches on a real terminal: set by a key, seen at every stop in both sizes, kept for the script."""

from __future__ import annotations

import sys

import pytest
from harness import warm
from harness.place import DEMOS, STEPDBG, Place
from harness.stepping import leave, move, printed, wait_stop


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])
def test_what_is_watched_is_seen_at_every_stop_whatever_panel_is_in_front_and_is_kept(
    size: tuple[int, int], place: Place
) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "plain.py", size=size)
    wait_stop(terminal)
    terminal.press("w")
    terminal.wait_for("Watch", "enter watches it")
    terminal.press("ctrl+u")
    terminal.type("grad_norm() +")
    terminal.press("enter")
    terminal.wait_for("is no expression of Python")
    terminal.press("ctrl+u")
    terminal.type("grad_norm()")
    terminal.wait_for("here: 0")
    terminal.press("enter")
    terminal.wait_for_no("enter watches it")
    for panel in "1245":
        move(terminal, "f")
        terminal.press(panel)
        terminal.wait_for_match(r"grad_norm\(\) \d+\.\d+")
    terminal.press("8")
    terminal.wait_for("1 watch", "watched")
    assert terminal.text.count("grad_norm()") == 2
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0
    (kept,) = (place.home / "scripts").glob("plain-*.toml")
    assert 'expression = "grad_norm()"' in kept.read_text()

    again = place.stepdbg(*warm.option(), "-w", "update", DEMOS / "plain.py", size=size)
    wait_stop(again)
    again.wait_for("grad_norm() 0", "update 1")
    leave(again, "stop")
    assert again.wait_exit() == 0


def test_what_is_watched_and_sampled_changes_no_bit(place: Place) -> None:
    demo, arguments = DEMOS / "mnist.py", ("--updates", "4", "--digest")
    terminal = place.terminal([sys.executable, demo, *arguments])
    assert terminal.wait_exit(60) == 0
    bare = bytes(terminal.transcript)
    assert b"digest " in bare

    watched = (
        "-w",
        "grad_norm()",
        "-w",
        'ratio("model.*")',
        "-w",
        "model.fc1.weight.std()",
        "-w",
        "torch.rand(3).mean()",
    )
    file = place.home / "values.csv"
    terminal = place.terminal([STEPDBG, "run", "--headless", *watched, "--watch-csv", file, demo, *arguments])
    assert terminal.wait_exit(60) == 0
    assert file.read_text().count("grad_norm()") >= 2
    said = bytes(terminal.transcript)
    assert said == bare
    place.wait_empty()

    terminal = place.stepdbg(*warm.option(), *watched, demo, *arguments)
    wait_stop(terminal)
    for _ in range(3):
        move(terminal, "f")
    terminal.press("c")
    terminal.wait_for("at the end of the script", seconds=60)
    assert printed(place) == bare
