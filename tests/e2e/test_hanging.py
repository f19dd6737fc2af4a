"""Where does it hang? A second ctrl+c while nothing stops shows the stack of the phase that runs, and ends nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness.place import Place
from harness.stepping import leave, printed, wait_stop

HANGS = """
import sys
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset


def the_culprit():
    with open(sys.argv[1]) as pipe:  # a pipe that nobody writes to, until the test does
        pipe.read()

class Slow(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, grad):
        if sys.argv[2] == "backward":
            the_culprit()
        return grad

class Data(Dataset):
    def __len__(self):
        return 4

    def __getitem__(self, index):
        if sys.argv[2] == "data" and index == 2:
            the_culprit()
        return torch.ones(3)

model = nn.Linear(3, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for x in DataLoader(Data(), batch_size=2):
    optimizer.zero_grad()
    loss = Slow.apply(model(x)).sum()
    loss.backward()
    optimizer.step()
    sys.argv[2] = "nowhere" if sys.argv[2] == "backward" else sys.argv[2]
print("the end")
"""


@pytest.mark.parametrize("phase", ["backward", "data"])
@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=["80x24", "160x50"])
def test_a_second_ctrl_c_shows_the_stack_of_the_hanging_phase(
    place: Place, tmp_path: Path, phase: str, size: tuple[int, int]
) -> None:

    script, pipe = tmp_path / "hangs.py", tmp_path / "pipe"
    script.write_text(HANGS)
    os.mkfifo(pipe)
    terminal = place.stepdbg(script, pipe, phase, size=size)
    wait_stop(terminal)
    terminal.press("c")
    terminal.wait_for(f"RUNNING in {phase} for")
    (training,) = place.target("hangs.py")
    terminal.press("ctrl+c")
    terminal.press("ctrl+c")
    terminal.wait_until(lambda: b"in the_culprit" in printed(place), "the stack")
    terminal.press("7", *("z" if size[0] > 100 else ""))  # alone: a column would break the lines of the stack
    terminal.wait_for(" in <module>")
    terminal.press("home")  # the innermost frame comes first
    terminal.wait_for("Current thread")
    assert place.target("hangs.py") == [training]
    pipe.write_text("go on")
    terminal.wait_for("PAUSED before")  # the pause that was asked for first
    terminal.press("c")
    terminal.wait_for("at the end of the script", "the end")
    leave(terminal, "go on")
    assert terminal.wait_exit() == 0
    place.wait_empty()
