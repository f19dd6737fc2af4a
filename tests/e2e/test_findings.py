"""The three faults of demos/broken.py: each is named under the sentence at the update where it first shows, with no key
pressed but `n`; and training stops for it by itself where that is asked for.
"""

from __future__ import annotations

import pytest
from harness import warm
from harness.place import DEMOS, Place
from harness.stepping import Shown, leave, move, wait_stop
from harness.terminal import Terminal

BROKEN = DEMOS / "broken.py"
FAULTS = {
    "--no-zero-grad": ("! stale-gradients: this step uses gradients of update 1 again", 2, "backward!"),
    "--forgotten-layer": ("! orphan-in-optimizer: optimizer holds 2 parameters that no model has", 1, "step!"),
    "--double-softmax": ("! activated-logits: cross_entropy takes logits", 1, "loss!"),
}
"""By the option: how the line begins, the update, and the mark on the rail."""
SIZES = pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=lambda size: f"{size[0]}x{size[1]}")


def step_through(terminal: Terminal, updates: int) -> list[tuple[Shown, list[str]]]:
    """So many updates, phase by phase: each stop, with the lines under the sentence that begin with a `!`."""
    stops = []
    while (stop := wait_stop(terminal)).update is not None and stop.update <= updates:
        stops.append((stop, [line.strip() for line in terminal.lines[5:8] if line.startswith(" ! ")]))
        move(terminal, "n")
    return stops


@SIZES
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_named_where_it_first_shows_with_no_key_but_n(
    place: Place, fault: str, size: tuple[int, int]
) -> None:
    words, update, mark = FAULTS[fault]
    terminal = place.stepdbg(*warm.option(), BROKEN, fault, size=size)
    told = [(stop, lines) for stop, lines in step_through(terminal, 3) if lines]
    assert len(told) == 1, "once, where it is met first"
    stop, lines = told[0]
    assert lines[0].startswith(words)
    assert stop.update == update
    assert mark in terminal.lines[1]
    terminal.press("K")
    terminal.wait_for("1 error")
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0


@SIZES
def test_of_a_healthy_run_nothing_is_said(place: Place, size: tuple[int, int]) -> None:
    terminal = place.stepdbg(*warm.option(), BROKEN, size=size)
    assert not [lines for _, lines in step_through(terminal, 3) if lines]
    terminal.press("K")
    terminal.wait_for("Nothing found so far.")
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0


def test_training_stops_for_what_is_found_where_that_is_asked_for(place: Place) -> None:
    terminal = place.stepdbg(*warm.option(), "--stop-on", "finding", BROKEN, "--no-zero-grad", size=(100, 30))
    wait_stop(terminal)
    stop = move(terminal, "c")
    assert (stop.update, stop.complete) == (2, True)
    terminal.wait_for("new finding (stale-gradients): step changed", "! stale-gradients: this step uses")
    terminal.press("K", "enter")
    terminal.wait_for("call optimizer.zero_grad() once")
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0
