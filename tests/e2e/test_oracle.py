"""The oracle: a demo's output and final weights are the same bits bare, free-running under stepdbg, and stepped."""

from __future__ import annotations

import sys

import pytest
from harness import warm
from harness.place import DEMOS, STEPDBG, Place
from harness.stepping import Shown, leave, move, printed, step_to, wait_stop

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

    terminal = place.stepdbg(*warm.option(), DEMOS / demo, *ARGUMENTS[demo])
    step_to(terminal, None, limit=80)
    stepped = printed(place)
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
    assert stepped == bare
    place.wait_empty()

    terminal = place.stepdbg(*warm.option(), DEMOS / demo, *ARGUMENTS[demo])
    wait_stop(terminal)
    terminal.press("c")
    terminal.wait_for("at the end of the script", seconds=60)
    assert printed(place) == bare


def graph_at(stop: Shown) -> str:
    """What is read of the graph at a stop of the second update and before."""
    if stop.next == "eval":  # the function that trained has returned, and its loss is gone
        return "No graph: the loss has none"
    if stop.update == 1 and not stop.complete and stop.next in ("data", "zero_grad", "forward"):
        return "No graph: the loss has none"
    return "AddmmBackward0" if stop.next == "loss" else "NllLossBackward0"


def test_with_every_tensor_owner_graph_and_past_looked_at_it_ends_in_the_same_bits(place: Place) -> None:
    arguments = ("--updates", "2", "--digest")
    terminal = place.terminal([sys.executable, DEMOS / "mnist.py", *arguments])
    assert terminal.wait_exit(60) == 0
    bare = bytes(terminal.transcript)

    terminal = place.stepdbg(*warm.option(), DEMOS / "mnist.py", *arguments, size=(100, 40))
    stop = wait_stop(terminal)
    terminal.press("3", "z")
    terminal.wait_for("hyperparameter")
    terminal.wait_for("ONE tensor, 2 owners")  # below the matrix, asked anew at each stop
    rows = [(1, "conv.bias"), (4, "fc1.weight"), (2, "norm.weight"), (7, "fc2.bias")]
    while stop.next is not None:
        terminal.press("7B")  # the loss's graph, or why there is none
        terminal.wait_for(graph_at(stop))
        terminal.press("G")
        if stop.next in ("backward", "step"):
            terminal.wait_for("─ model.conv.weight", "here backward adds the gradient")
        terminal.press("3")
        terminal.wait_for("hyperparameter")
        if stop.next == "step":  # by way of the names of the gradients to the owners of two
            for row, name in (rows.pop(0), rows.pop(0)):
                terminal.press("\r")
                terminal.wait_for("model.conv.weight.grad")
                terminal.press("j" * row)
                terminal.wait_for(f"\u203a+ model.{name}.grad")
                terminal.press("a")
                terminal.wait_for(f"\u250c\u2500 model.{name} ")
        if stop.next == "backward":
            terminal.press("[")
            terminal.wait_for("PAST")
            terminal.press("[")
            terminal.wait_for("esc now")
            terminal.press("\x1b")
            terminal.wait_for("PAUSED before backward")
        stop = move(terminal, "n")
    assert not rows
    assert printed(place) == bare
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0


def test_with_every_phase_stepped_into_it_ends_in_the_same_bits(place: Place) -> None:
    """By the larger units in the first update, by operators in the second; what came out is looked at each time."""
    arguments = ("--updates", "2", "--digest")
    terminal = place.terminal([sys.executable, DEMOS / "mnist.py", *arguments])
    assert terminal.wait_exit(60) == 0
    bare = bytes(terminal.transcript)

    terminal = place.stepdbg(*warm.option(), DEMOS / "mnist.py", *arguments, size=(100, 40))
    stop = wait_stop(terminal)
    units = []
    while stop.next is not None or stop.within is not None:
        key = "s" if stop.update == 1 else "I" if stop.within or stop.next in INTO else "n"
        if "after aten.addcdiv_" in (stop.within or ""):  # the other parameters are written likewise
            key = "n"
        stop = move(terminal, key)
        if stop.within is not None:
            units.append(stop.within)
            if len(units) == 2:
                terminal.press("V")  # from here on the Tensor panel shows what has come out
                terminal.wait_for("model.norm [0, 0, 0, 0]")
    by_unit = {phase: [unit for unit in units if unit.startswith(f"inside {phase}")] for phase in INTO}
    assert by_unit["forward"][:2] == ["inside forward, after model.conv", "inside forward, after model.norm"]
    assert any("aten.addmm" in unit for unit in by_unit["forward"])
    assert any("ReluBackward0" in unit for unit in by_unit["backward"])
    assert any("aten.addcdiv_" in unit for unit in by_unit["step"])
    assert {f"inside backward, after model.{name}.grad" for name in ("conv.weight", "fc2.bias")} <= set(units)
    assert {f"inside step, after model.{name}" for name in ("conv.weight", "fc2.bias")} <= set(units)
    assert printed(place) == bare
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0


INTO = ("forward", "loss", "backward", "step")
