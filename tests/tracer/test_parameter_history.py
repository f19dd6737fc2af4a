"""The history of every parameter: what the script would have found itself, free and stepped; it does no harm."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m

TRAIN = """
import torch
from torch import nn, optim
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1, dtype=torch.float32))
net.frozen = nn.Parameter(torch.ones(3), requires_grad=False)
opt = optim.Adam(net.parameters(), lr=0.05)
x = torch.randn(20_000, 4); y = x.sum(1, keepdim=True)
for i in range(UPDATES):
    opt.zero_grad()
    loss = (net(x + 0.01 * torch.randn(20_000, 4)) - y).square().mean()
    loss.backward()
    before = net[0].weight.detach().clone()
    opt.step()
    weight = net[0].weight.detach()
    print(i + 1, net[0].weight.grad.norm().item(), ((weight - before).norm() / weight.norm()).item())
"""


@pytest.mark.parametrize(("go", "updates"), [("continue", 120), ("finish", 5)])
def test_norm_and_ratio_are_those_that_the_script_finds_itself(go: m.Go, updates: int, tmp_path: Path) -> None:
    script = write(tmp_path, TRAIN.replace("UPDATES", str(updates)))
    with debuggee(script, go=go) as training:
        stop = training.stop()
        while stop.reason != "exit":
            stop = training.go(go)
        found = training.ask(m.ReadHistory("net.0.weight.grad"))
        frozen = training.ask(m.ReadHistory("net.frozen"))
        refused = training.ask(m.ReadHistory("x"))
        training.go("continue")
        ended = training.end()
    assert ended == bare(script)
    rows = {int(line.split()[0]): [float(word) for word in line.split()[1:]] for line in ended[1].splitlines()}
    sampled = [point.update for point in found.points]
    assert found.object == "net.0.weight"
    assert sampled[:2] == [1, 2]
    assert len(sampled) >= 3
    assert go == "continue" or sampled == [*range(1, updates + 1)]
    assert [point.grad_norm for point in found.points] == pytest.approx([rows[one][0] for one in sampled], rel=1e-5)
    known = [point for point in found.points if point.ratio is not None]
    assert len(known) >= len(sampled) - 1  # of the first nobody may have looked before its step
    assert [one.ratio for one in known] == pytest.approx([rows[one.update][1] for one in known], rel=1e-4)
    assert {(point.grad_norm, point.ratio) for point in frozen.points} <= {(None, None)}
    assert "x is no parameter" in refused.problem
