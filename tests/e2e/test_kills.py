"""Client or hub killed at five moments each: training's weights are those of a bare run.

The moments are drawn from a seed that is printed; `STEPDBG_TEST_SEED=…` draws the same ones again.
"""

from __future__ import annotations

import functools
import os
import random
import signal
from typing import NamedTuple

import pytest
from harness.place import DEMOS, Place, wait_end
from harness.stepping import move, printed, session, wait_stop
from harness.terminal import Terminal
from tracer.bare_hub import bare

ARGUMENTS = ("--epochs", "2", "--digest")
SEED = int(os.environ.get("STEPDBG_TEST_SEED") or random.SystemRandom().randrange(10**6))
MOMENTS = 5


class Moment(NamedTuple):
    """When to kill: after so many steps, at the stop or so many reads of the pty after `c`."""

    demo: str
    steps: int
    running: bool
    reads: int


def moments(what: str) -> list[Moment]:
    source = random.Random(f"{SEED} {what}")
    return [
        Moment(source.choice(["mnist.py", "plain.py"]), source.randrange(8), number % 2 == 0, source.randrange(6))
        for number in range(MOMENTS)
    ]


def arrive(place: Place, moment: Moment) -> Terminal:
    """A session brought to the moment."""
    print(f"STEPDBG_TEST_SEED={SEED} draws {moment}")
    terminal = place.stepdbg(DEMOS / moment.demo, *ARGUMENTS)
    wait_stop(terminal)
    for _ in range(moment.steps):
        move(terminal, "n")
    if moment.running:
        terminal.press("c")
        for _ in range(moment.reads):
            if "at the end" in terminal.text:
                break
            terminal.read(1.0)
    return terminal


def digest(output: bytes) -> bytes:
    (line,) = [line for line in output.splitlines() if line.startswith(b"digest ")]
    return line


@functools.cache
def bare_digest(demo: str) -> bytes:
    status, out, _ = bare(str(DEMOS / demo), *ARGUMENTS)
    assert status == 0
    return digest(out.encode())


# The moments differ from run to run, so the tests are named by number: xdist's workers must agree on names.
@pytest.mark.parametrize("number", range(MOMENTS))
def test_the_client_killed_harms_nothing_and_attach_comes_back(place: Place, number: int) -> None:
    moment = moments("client")[number]
    terminal = arrive(place, moment)
    terminal.signal(signal.SIGKILL)
    assert terminal.wait_exit() == -signal.SIGKILL
    assert place.target(moment.demo) or moment.running

    again = place.stepdbg("attach")
    again.wait_for_match("PAUSED|EXITED|RUNNING", seconds=30)
    assert moment.running or "PAUSED before" in again.text
    if "PAUSED before" in again.text:  # a client killed before it has read its `c` leaves training stopped
        again.press("c")
    again.wait_for_match("at the end of the script|EXITED", seconds=60)
    assert digest(printed(place)) == bare_digest(moment.demo)


@pytest.mark.parametrize("number", range(MOMENTS))
def test_the_hub_killed_leaves_training_running_to_its_end(place: Place, number: int) -> None:
    moment = moments("hub")[number]
    terminal = arrive(place, moment)
    log = session(place) / "output.log"
    training = place.target(moment.demo)
    os.kill(place.hub(), signal.SIGKILL)

    terminal.wait_for("LOST")
    for pid in training:
        wait_end(pid, 60)
    for pid in place.processes("keeper"):
        wait_end(pid, 20)
    assert digest(log.read_bytes()) == bare_digest(moment.demo)

    terminal.press("q")
    terminal.wait_exit()
    assert terminal.emulator.leftovers() == []


@pytest.mark.parametrize("number", range(3))
def test_the_client_killed_while_a_breakpoint_is_being_set_loses_none(place: Place, number: int) -> None:
    """Those that were set before are there and met; the one being set is there whole, or not at all."""
    keys = ("b", "\x1b[B", "sched", "uler at update 7", "\r")
    typed = random.Random(f"{SEED} breakpoint {number}").randrange(1, len(keys) + 1)
    print(f"STEPDBG_TEST_SEED={SEED}: killed after {keys[:typed]}")
    points = ("before backward at update 3", "epoch 2")
    terminal = place.stepdbg(*(word for point in points for word in ("-b", point)), DEMOS / "mnist.py", *ARGUMENTS)
    wait_stop(terminal)
    for key in keys[:typed]:
        terminal.type(key)
    terminal.signal(signal.SIGKILL)
    assert terminal.wait_exit() == -signal.SIGKILL

    again = place.stepdbg("attach")
    wait_stop(again)
    again.type("8")
    again.wait_for(*points)
    assert "scheduler" not in again.text or "before scheduler at update 7" in again.text
    stop = move(again, "c")
    assert (stop.next, stop.update) == ("backward", 3)
    move(again, "c")  # to where the epoch opens, and from there to the end
    again.press("c")
    again.wait_for_match("at the end of the script|EXITED", seconds=60)
    assert digest(printed(place)) == bare_digest("mnist.py")
