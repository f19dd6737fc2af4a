"""The story that stepdbg exists for, typed into the real program and read off its screen, at both sizes.

Somebody stands before the first phase of a training run, presses `n` through an update and sees what each phase did,
looks at a weight, its gradient and the optimizer's state, changes a number, sets a breakpoint, lets it run, sees the
loss fall, leaves, comes back, and ends it; and the terminal is as it was.
"""

from __future__ import annotations

import pytest
from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import leave, move, session, shown, step_to, under, wait_stop, words
from harness.terminal import Terminal

SIZES = [(80, 24), (160, 50)]
MNIST = ("data", "zero_grad", "forward", "loss", "backward", "step")
"""One update of either demo."""
PARAMETERS = {"mnist.py": 8, "plain.py": 4}
STATE = {"mnist.py": 24, "plain.py": 4}
"""Entries that the first step creates: step, exp_avg, exp_avg_sq for each parameter; one momentum buffer for each."""


def walk(terminal: Terminal, phases: tuple[str, ...]) -> dict[str, str]:
    """Press `n` through these phases; what the sentence said after each."""
    said = {}
    for phase in phases:
        stop = wait_stop(terminal)
        assert stop.next == phase, terminal.picture()
        move(terminal, "n")
        sentence = f" {phase} "
        terminal.wait_until(lambda sentence=sentence: told(terminal, sentence), f"what {phase} did")
        said[phase] = words(terminal)
    return said


def told(terminal: Terminal, sentence: str) -> bool:
    """Whether a line below the rail begins so."""
    return any(line.startswith(sentence) for line in terminal.text.splitlines()[4:9])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("demo", PARAMETERS)
def test_each_phase_shows_what_it_did_and_nothing_else(place: Place, demo: str, size: tuple[int, int]) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / demo, size=size)
    number = PARAMETERS[demo]

    first = walk(terminal, MNIST)
    assert "data fetched the next batch" in first["data"]
    assert "zero_grad found no gradients to clear" in first["zero_grad"]
    assert "forward called" in first["forward"]
    assert ("changed 3 buffers" in first["forward"]) == (demo == "mnist.py"), first["forward"]
    assert "changed 8 parameters" not in first["forward"]
    assert "loss computed `loss` = 2." in first["loss"]
    assert f"backward walked the graph from `loss` and wrote the .grad of {number} parameters" in first["backward"]
    assert f"step changed {number} parameters and created {STATE[demo]} entries of optimizer state" in first["step"]
    assert shown(terminal).next == "data"

    second = walk(terminal, MNIST)
    assert f"freed the gradients of {number} parameters" in second["zero_grad"]
    assert f"wrote the .grad of {number} parameters" in second["backward"]
    assert f"changed {number} parameters and updated {STATE[demo]} entries" in second["step"]

    if size == (160, 50):
        assert f"{number} grads written" in under(terminal, "backward")
        assert f"{number} params changed" in under(terminal, "step")
        assert f"{number} grads freed" in under(terminal, "zero_grad")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("demo", PARAMETERS)
def test_an_edit_arrives_in_training_and_is_taken_back(place: Place, demo: str, size: tuple[int, int]) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / demo, size=size)
    step_to(terminal, "step")
    move(terminal, "n")
    open_first_parameter(terminal)
    terminal.wait_for("grad")

    edit(terminal, "123.5")
    terminal.wait_for("123.5")
    step_to(terminal, "loss")
    step_to(terminal, "backward")
    changed = float(loss(terminal))
    terminal.press("8")
    terminal.wait_for("123.5", "1 edit")

    other = Place()
    try:
        untouched = other.stepdbg(DEMOS / demo, size=size)
        step_to(untouched, "step")
        move(untouched, "n")
        step_to(untouched, "backward")
        assert changed != float(loss(untouched))
    finally:
        other.clean()

    step_to(terminal, "data")
    terminal.press("x")
    terminal.wait_for("undone")


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("demo", PARAMETERS)
def test_a_breakpoint_stops_a_run_and_the_run_is_left_and_found_again(
    place: Place, demo: str, size: tuple[int, int]
) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / demo, "--epochs", "1000", size=size)
    step_to(terminal, "backward")
    terminal.press("b")
    terminal.wait_for("stop before backward")
    terminal.press("enter")
    terminal.wait_for_no("stop before backward")
    first = wait_stop(terminal)

    second = move(terminal, "c")
    assert (second.next, second.update) == ("backward", first.update + 1)
    terminal.wait_for("breakpoint 1")
    terminal.wait_until(lambda: "loss computed `loss`" in words(terminal), "what the phase before it did")

    terminal.press("8")
    terminal.wait_for("before backward", "met 1 time")
    terminal.press("space")
    terminal.wait_for("off")
    terminal.press("5", "c")
    terminal.wait_for("RUNNING")
    terminal.wait_for_match(r"update [1-9]\d+")

    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
    assert terminal.emulator.leftovers() == []

    again = place.stepdbg("attach", session(place).name, size=size)
    again.wait_for("RUNNING")
    again.press("p")
    assert wait_stop(again).next is not None
    leave(again, "stop")
    assert again.wait_exit() == 0
    assert again.emulator.leftovers() == []
    place.wait_empty()


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
@pytest.mark.parametrize("demo", PARAMETERS)
def test_finish_stops_where_the_next_update_opens(place: Place, demo: str, size: tuple[int, int]) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / demo, size=size)
    step_to(terminal, "forward")
    assert move(terminal, "f").next == "data"
    walk(terminal, MNIST[:3])


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_resizing_in_the_middle_keeps_the_stop_and_the_panel(place: Place, size: tuple[int, int]) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "plain.py", size=size)
    step_to(terminal, "loss")
    terminal.press("4")
    terminal.wait_for("momentum")
    terminal.resize(*next(other for other in SIZES if other != size))
    terminal.wait_for("PAUSED before loss", "momentum")
    assert move(terminal, "n").next == "backward"


def test_a_click_on_a_tab_goes_to_its_panel(place: Place) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "plain.py")
    step_to(terminal, "loss")
    terminal.click_on("4Optim")
    terminal.wait_for("momentum")
    terminal.click_on("6Source")
    terminal.wait_for("loss_fn(y_hat, y)")


def open_first_parameter(terminal: Terminal) -> None:
    """From the Model panel to the first weight in the Tensor panel."""
    terminal.press("1")
    terminal.wait_for_match("›.*weight")
    terminal.press("enter")
    terminal.wait_for("std", "e edit")


def edit(terminal: Terminal, expression: str) -> None:
    """Edit what is under the cursor: expression, preview, yes."""
    terminal.press("e")
    terminal.wait_for("enter: preview")
    terminal.type(expression)
    terminal.press("enter")
    terminal.wait_for("enter: do it", "→")
    terminal.press("enter")
    terminal.wait_for_no("enter: do it")


def loss(terminal: Terminal) -> str:
    """The loss in the header, or in the sentence where the header has no room."""
    return terminal.wait_for_match(r"(?:loss |loss` = )(\d[\d.e+-]*)")[1]
