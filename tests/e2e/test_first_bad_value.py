"""The first bad value on the screen: set there as a breakpoint, met, told in a sentence, listed in panel 8."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import warm
from harness.place import Place
from harness.stepping import leave, move, wait_stop
from harness.terminal import Terminal

SCRIPT = """\
import torch
from torch import nn
torch.manual_seed(0)
class Unit(nn.Module):
    def forward(self, h):
        return h / h.norm(dim=1, keepdim=True)
model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), Unit(), nn.Linear(6, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.1)
for i in range(6):
    x = torch.randn(8, 4)
    if i == 3:
        model[0].bias.data.fill_(-100)
    opt.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    opt.step()
"""


def highlighted(terminal: Terminal) -> str:
    """The line of the dialog that enter takes."""
    return next((line.partition("›")[2] for line in terminal.lines if "│  › " in line), "")


@pytest.mark.parametrize("size", [(80, 24), (160, 50)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_it_is_set_met_and_told(place: Place, tmp_path: Path, size: tuple[int, int]) -> None:
    script = tmp_path / "train.py"
    script.write_text(SCRIPT)
    terminal = place.stepdbg(*warm.option(), script, size=size)
    wait_stop(terminal)
    terminal.press("b")
    terminal.wait_for("stop at the first NaN")
    terminal.wait_until(lambda: highlighted(terminal), "a line that enter takes")
    while "stop at the first NaN" not in (line := highlighted(terminal)):
        terminal.press("down")
        terminal.wait_until(lambda line=line: highlighted(terminal) != line, "the next line")
    terminal.press("enter")
    terminal.wait_for_no("stop at the first NaN")
    terminal.press("8")
    terminal.wait_for("first nan")
    stop = move(terminal, "c")
    assert (stop.next, stop.update) == ("loss", 4)
    terminal.wait_for("output holds NaN", "Made by div in", "model.2 (train.py:6): 0 / 0 at [0, 0]")
    terminal.wait_for("first nan", "met 1 time")
    terminal.press("space")
    terminal.wait_for("off")
    stop = move(terminal, "c")
    assert stop.next is None
    leave(terminal, "stop")
    assert terminal.wait_exit() == 0
