"""Running to somewhere, in the real program: paused on the way the goal is kept, gone on to, exchanged or dropped."""

from __future__ import annotations

from pathlib import Path

import pytest
from harness import warm
from harness.place import Place
from harness.stepping import leave

SIZES = [(80, 24), (160, 50)]
TRAIN = """\
import torch
from torch import nn, optim
net = nn.Linear(4, 1)
opt = optim.SGD(net.parameters(), lr=1e-7)
x = torch.ones(6, 4)
for number in range(10_000_000):
    opt.zero_grad()
    loss = net(x).square().mean() + 10
    loss.backward()
    opt.step()
"""


@pytest.mark.parametrize("size", SIZES, ids=lambda size: f"{size[0]}x{size[1]}")
def test_paused_on_the_way_the_goal_is_kept_until_it_is_reached_or_dropped(
    place: Place, tmp_path: Path, size: tuple[int, int]
) -> None:
    (tmp_path / "train.py").write_text(TRAIN)
    terminal = place.stepdbg(*warm.option(), "train.py", cwd=tmp_path, size=size)
    terminal.wait_for("PAUSED before", seconds=60)
    terminal.press("t")
    terminal.wait_for("Run to")
    terminal.type("9000000")
    terminal.press("enter")
    terminal.wait_for("training runs to update 9000000", "RUNNING", seconds=60)
    terminal.press("p")
    terminal.wait_for("PAUSED", "on the way to update 9000000 (c goes on, X drops it).", "X drop")
    terminal.press("n")
    terminal.wait_for("on the way to update 9000000")
    terminal.press("c")
    terminal.wait_for("training runs to update 9000000", "RUNNING")
    terminal.press("p")
    terminal.wait_for("PAUSED", "on the way to update 9000000")
    terminal.press("8")
    terminal.wait_for("update 9000000 once  on the way")
    terminal.press("t")
    terminal.wait_for("Run to, and not to update 9000000")
    terminal.type("loss < 1")
    terminal.press("enter")
    terminal.wait_for("training runs to backward if loss < 1", "RUNNING")
    terminal.press("X")
    terminal.wait_for("training runs; press p")
    terminal.press("p")
    terminal.wait_for("PAUSED", "No breakpoints")
    terminal.wait_for_no("on the way")
    terminal.press("t")
    terminal.wait_for("Run to")
    terminal.type("loss > 1")
    terminal.press("enter")
    terminal.wait_for("PAUSED before backward", "here is backward if loss > 1, where you ran to:")
    terminal.wait_for_no("on the way")
    leave(terminal, "stop")
