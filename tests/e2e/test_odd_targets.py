"""What is odd but no mistake: a notice, and the program goes on."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import leave, move, shown, wait_stop, words


def script(folder: Path, text: str) -> Path:
    path = folder / "odd.py"
    path.write_text(text)
    return path


def test_a_script_that_never_trains_is_said_to(place: Place, tmp_path: Path) -> None:
    terminal = place.stepdbg(script(tmp_path, "import torch\nprint('only', 6 * 7)\n"))
    terminal.wait_for("EXITED", "never trained", seconds=60)
    terminal.press("7")
    terminal.wait_for("only 42")
    terminal.press("q")
    assert terminal.wait_exit() == 0
    assert terminal.emulator.leftovers() == []
    place.wait_empty()


@pytest.mark.parametrize(("text", "status"), [("", 0), ("import sys; sys.exit(3)", 3)])
def test_a_script_that_exits_at_once_shows_its_status(place: Place, tmp_path: Path, text: str, status: int) -> None:
    terminal = place.stepdbg(script(tmp_path, text))
    terminal.wait_for("EXITED", f"status {status}")
    terminal.press("q")
    terminal.wait_exit()
    place.wait_empty()


def test_binary_output_disturbs_nothing(place: Place, tmp_path: Path) -> None:
    noise = (
        "import os\nos.write(1, bytes(range(256)) * 40 + b'\\x1b[?1049l\\x1b[2J\\x1b]0;x\\x07' + b'\\nthe end\\n')\n"
    )
    terminal = place.stepdbg(script(tmp_path, noise))
    terminal.wait_for("EXITED")
    terminal.press("7")
    terminal.wait_for("the end")
    assert "odd.py" in terminal.lines[0]
    terminal.press("q")
    terminal.wait_exit()
    assert terminal.emulator.leftovers() == []
    place.wait_empty()


def test_a_terminal_of_20_by_5_steps_too(place: Place) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "mnist.py", "--updates", "2", size=(20, 5))
    terminal.wait_for("PAUSED", "data", seconds=60)
    terminal.press("n")
    terminal.wait_for("PAUSED", "zero_g")
    terminal.resize(80, 24)
    terminal.wait_for("PAUSED before zero_grad", "Model", "backward")
    terminal.resize(20, 5)
    terminal.wait_for_no("backward")
    terminal.press("n")
    terminal.wait_for("PAUSED", "forwar")


def test_a_second_screen_is_announced_and_both_steer(place: Place) -> None:
    first = place.stepdbg(*warm.option(), DEMOS / "plain.py", "--updates", "3")
    wait_stop(first)
    second = place.stepdbg("attach")
    assert wait_stop(second).next == "data"
    first.wait_until(lambda: "second screen" in words(first), "the notice")

    assert move(second, "n").next == "zero_grad"
    first.wait_until(lambda: (stop := shown(first)) and stop.next == "zero_grad", "the first screen to follow")
    assert move(first, "n").next == "forward"
    second.wait_until(lambda: (stop := shown(second)) and stop.next == "forward", "the second screen to follow")

    leave(second, "stay")
    second.wait_exit()
    assert move(first, "n").next == "loss"


def test_an_exception_of_the_script_is_a_stop_that_can_be_looked_at(place: Place, tmp_path: Path) -> None:
    wrong = (
        "import torch\nfrom torch import nn\nmodel = nn.Linear(3, 2)\n"
        "opt = torch.optim.SGD(model.parameters(), lr=0.1)\n"
        "for size in (3, 4):\n    opt.zero_grad()\n    y = model(torch.ones(5, size))\n    loss = y.sum()\n"
        "    loss.backward()\n    opt.step()\n"
    )
    terminal = place.stepdbg(script(tmp_path, wrong))
    wait_stop(terminal)
    terminal.press("c")
    terminal.wait_for("PAUSED on RuntimeError")
    terminal.press("1")
    terminal.wait_for("model", "weight")
    terminal.press("c")
    terminal.wait_for("EXITED", "status 1")
    terminal.press("q")
    terminal.wait_exit()
    place.wait_empty()
