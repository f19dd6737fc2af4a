"""Keys that reach a real terminal in one piece, as over a slow link: a line of them does what it does key by key."""

from __future__ import annotations

import pytest
from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import leave, shown, step_to, wait_stop

SIZES = [(80, 24), (160, 50)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_filter_an_edit_a_jump_the_console_and_steps_typed_in_one_go_do_what_they_do_one_by_one(
    place: Place, size: tuple[int, int]
) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "mnist.py", size=size)
    before = step_to(terminal, "forward")
    terminal.type("3/fc1 biasn\x7f\r\r@7\reold*0+12.5\r\rn")
    terminal.wait_until(lambda: shown(terminal) not in (None, before), "the step behind the edit")
    stop = wait_stop(terminal)
    assert stop.next == "loss", "a letter that was typed into a line has stepped"

    terminal.type("!model.fc1.bias[7].item() * 2\rlen('n' * 400)\r\x1b")
    terminal.wait_for("25.0", "400")
    terminal.type("nnnn")
    terminal.wait_until(lambda: (now := shown(terminal)) and now.next == "zero_grad", "four steps")
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0
