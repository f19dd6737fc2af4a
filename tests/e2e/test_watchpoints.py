"""A value is watched and a module stopped at on the real program: set by `b` on the screen, met as training runs on."""

from __future__ import annotations

import pytest
from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import move, step_to, words

SIZES = [(80, 24), (160, 50)]


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_b_on_a_parameter_watches_it_and_on_a_module_stops_inside_forward(place: Place, size: tuple[int, int]) -> None:
    terminal = place.stepdbg(*warm.option(), DEMOS / "plain.py", size=size)
    step_to(terminal, "backward")
    terminal.press("1", "g")
    terminal.press("down", "b")
    terminal.wait_for("stop after forward of")
    terminal.press("escape")
    terminal.wait_for_no("stop after forward of")
    terminal.press("down", "down", "b")
    terminal.wait_for("changes", "is not finite")
    terminal.press("down", "down", "enter")
    terminal.wait_for_no("is not finite")
    stop = move(terminal, "c")
    assert stop.next == "data", terminal.picture()
    terminal.wait_until(lambda: "weight changes: in step" in words(terminal), "which phase has changed it")
