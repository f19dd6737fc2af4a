"""Breakpoints on lines, in the real program: from the command line, in the Source panel, and run to the cursor."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import warm
from harness.place import DEMOS, STEPDBG, Place
from harness.stepping import leave, printed

SIZES = [(80, 24), (160, 50)]
TRAIN = """\
import torch
from torch import nn, optim


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)

    def forward(self, x):
        doubled = 2 * x
        return self.fc(doubled)


net = Net()
opt = optim.SGD(net.parameters(), lr=0.05)
x = torch.ones(6, 4)
for number in range(60):
    opt.zero_grad()
    loss = net(x).square().mean()
    loss.backward()
    opt.step()
    last = loss.item()
"""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_line_is_stopped_at_shown_and_run_to(place: Place, tmp_path: Path, size: tuple[int, int]) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    terminal = place.stepdbg(*warm.option(), "-b", "train.py:11 if number == 2", "train.py", cwd=tmp_path, size=size)
    terminal.wait_for("PAUSED before", seconds=60)
    terminal.press("c")
    terminal.wait_for("PAUSED at train.py:11, inside forward", "update 3", "about to run", seconds=60)
    terminal.press("6")
    terminal.wait_for_match(r"●inside +▶ 11 ")
    terminal.press("n")
    terminal.wait_for("PAUSED before loss")
    terminal.press("end", "b")  # the last line, which no phase begins at
    terminal.wait_for("Breakpoint at train.py:23", "stop before train.py:23")
    terminal.press("enter", "c")
    terminal.wait_for("PAUSED at train.py:23", "update 3", "about to run")
    terminal.wait_for_match(r"●here +▶ 23 ")
    terminal.press("8")
    terminal.wait_for("train.py:11 if number == 2  met 1 time", "train.py:23  met 1 time")
    terminal.press("6", "up", "up", "up", "up", "b")
    terminal.wait_for("Breakpoint on", "stop before train.py:19")
    terminal.press("escape")
    terminal.wait_for_no("Breakpoint on")
    terminal.press("t")
    terminal.wait_for("Run to", "train.py:19")
    terminal.press("enter")
    terminal.wait_for("PAUSED at train.py:19", "update 3", "about to run")
    leave(terminal, "stop")


def test_waiting_for_lines_and_stopping_at_them_changes_no_bit(place: Place) -> None:
    demo, arguments = DEMOS / "mnist.py", ("--updates", "4", "--digest")
    lines = demo.read_text().splitlines()
    forward = next(number for number, line in enumerate(lines, 1) if "def forward" in line) + 1
    backward = next(number for number, line in enumerate(lines, 1) if "loss.backward()" in line)
    terminal = place.terminal([sys.executable, demo, *arguments])
    assert terminal.wait_exit(60) == 0
    bare = bytes(terminal.transcript)
    assert b"digest " in bare

    points = ("-b", f"mnist.py:{forward} if x.sum() is None", "-b", f"mnist.py:{backward} if loss < 0")
    terminal = place.terminal([STEPDBG, "run", "--headless", *points, demo, *arguments])
    assert terminal.wait_exit(60) == 0
    assert bytes(terminal.transcript) == bare
    place.wait_empty()

    terminal = place.stepdbg(
        *warm.option(), "-b", f"mnist.py:{forward} once", "-b", f"mnist.py:{backward} ignore 2", demo, *arguments
    )
    terminal.wait_for("PAUSED before", seconds=60)
    for there in (f"at mnist.py:{forward}", f"at mnist.py:{backward}, inside backward", "update 4"):
        terminal.press("c")
        terminal.wait_for(there, seconds=60)
    terminal.press("c")
    terminal.wait_for("at the end of the script", seconds=60)
    assert printed(place) == bare
