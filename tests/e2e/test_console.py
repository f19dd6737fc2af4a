"""Frames and the console in the real program: typed into its terminal and read off its screen, at both sizes."""

from __future__ import annotations

import pytest
from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import leave, move, step_to, words
from harness.terminal import Terminal

SIZES = [(80, 24), (160, 50)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_python_runs_in_the_chosen_frame_and_what_it_changes_arrives_in_training(
    place: Place, size: tuple[int, int]
) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "mnist.py", size=size)
    step_to(terminal, "backward")
    terminal.press("6", "u")
    terminal.wait_for("called", "train(model, train_loader", "Namespace(epochs=5")

    terminal.press("!")
    terminal.wait_for("enter run")
    terminal.type("args.epochs + 1000")
    terminal.press("enter")
    terminal.wait_for("1005")
    terminal.type("while True: pass")
    terminal.press("enter", "enter")
    terminal.wait_for("ctrl+c interrupts it")
    terminal.press("ctrl+c")
    terminal.wait_for("interrupted; what it had done")
    terminal.type("nonsense")
    terminal.press("enter")
    terminal.wait_for("name 'nonsense' is not defined")
    assert "stepdbg/tracer" not in terminal.text

    leave_input(terminal)
    terminal.press("d")
    terminal.wait_for("in train:")
    terminal.press("!")
    terminal.wait_for("enter run")
    terminal.type("loss.item() > 0, epoch")
    terminal.press("enter")
    terminal.wait_for("(True, 1)")
    terminal.type("optimizer.param_groups[0]['lr'] = 0.625")
    terminal.press("enter")
    leave_input(terminal)
    terminal.press("4")
    terminal.wait_for("0.625")

    assert move(terminal, "n").next == "step"
    terminal.wait_until(lambda: "wrote the .grad of 8 parameters" in words(terminal), "what backward did")
    assert move(terminal, "n").next == "data"
    terminal.wait_until(lambda: "step changed 8 parameters" in words(terminal), "what step did")
    terminal.press("9")
    terminal.wait_for("(True, 1)", "enter run")
    leave_input(terminal)
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0


def test_a_megabyte_pasted_is_refused_in_one_line_and_the_screen_answers_at_once(place: Place) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "plain.py")
    step_to(terminal, "loss")
    terminal.press("!")
    terminal.wait_for("enter run")
    paste(terminal, "x" * 1_000_000)
    terminal.wait_for("1.0 MB are too much for the console")
    terminal.type("6 * 7")
    terminal.press("enter")
    terminal.wait_for("42")
    leave_input(terminal)
    assert move(terminal, "n").next == "backward"


def leave_input(terminal: Terminal) -> None:
    """Escape, and wait: what comes at once after it would be taken for alt and a key."""
    terminal.press("escape")
    terminal.wait_for("n next")


def paste(terminal: Terminal, text: str) -> None:
    """As a terminal pastes, in pieces, reading what comes meanwhile: a pty holds 4 kB."""
    whole = f"\x1b[200~{text}\x1b[201~"
    for start in range(0, len(whole), 2048):
        terminal.type(whole[start : start + 2048])
        terminal.read(0)
