"""However the client goes, the terminal comes back and training is unharmed."""

from __future__ import annotations

import signal

import pytest
from harness.place import DEMOS, STEPDBG, Place, wait_end
from harness.stepping import leave, move, shown, step_to, wait_stop


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_that_ends_the_client_gives_the_terminal_back(place: Place, number: signal.Signals) -> None:
    terminal = place.stepdbg(DEMOS / "plain.py", "--updates", "3")
    step_to(terminal, "backward")
    terminal.signal(number)
    terminal.wait_exit()
    assert terminal.emulator.leftovers() == []
    if number == signal.SIGTERM:
        assert "terminated, training stays as it is; `stepdbg attach plain-" in " ".join(terminal.text.split())

    again = place.stepdbg("attach")
    assert wait_stop(again).next == "backward"
    assert move(again, "n").next == "step"


def test_a_lost_link_leaves_training_as_it_was(place: Place) -> None:
    terminal = place.stepdbg(DEMOS / "plain.py", "--updates", "3")
    step_to(terminal, "loss")
    client = terminal.pid
    terminal.hang_up()
    wait_end(client, 10)
    again = place.stepdbg("attach")
    assert wait_stop(again).next == "loss"


def test_detached_with_go_on_training_runs_and_is_found_again(place: Place) -> None:
    terminal = place.stepdbg("--break", "before step", DEMOS / "plain.py", "--epochs", "400")
    step_to(terminal, "backward")
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
    assert terminal.emulator.leftovers() == []

    listed = place.run(STEPDBG, "ls")
    assert "plain" in listed.stdout
    assert "running" in listed.stdout.lower()

    again = place.stepdbg("attach")
    again.wait_until(lambda: (stop := shown(again)) and stop.next == "step", "the breakpoint to hold again")
    leave(again, "stop")
    assert again.wait_exit() == 0
    place.wait_empty()


def test_detached_and_stopped_it_waits_at_the_same_boundary(place: Place) -> None:
    terminal = place.stepdbg(DEMOS / "mnist.py", "--updates", "3")
    stop = step_to(terminal, "step")
    leave(terminal, "stay")
    assert terminal.wait_exit() == 0
    assert "paused" in place.run(STEPDBG, "ls").stdout.lower()
    again = place.stepdbg("attach")
    assert wait_stop(again) == stop


def test_stop_ends_training_and_removes_the_session(place: Place) -> None:
    terminal = place.stepdbg(DEMOS / "mnist.py")
    wait_stop(terminal)
    leave(terminal, "stay")
    terminal.wait_exit()
    (name,) = [path.name for path in place.runtime.iterdir()]
    assert place.run(STEPDBG, "stop", name).returncode == 0
    place.wait_empty()
    assert list(place.runtime.iterdir()) == []
    assert name not in place.run(STEPDBG, "ls").stdout


def test_pause_stops_a_run_and_ctrl_c_never_kills(place: Place) -> None:
    terminal = place.stepdbg(DEMOS / "plain.py", "--epochs", "400")
    wait_stop(terminal)
    for key in ("p", "ctrl+c"):
        terminal.press("c")
        terminal.wait_for("RUNNING")
        terminal.press(key)
        assert wait_stop(terminal).next is not None
