"""The history of every parameter: what the script would have found itself, free and stepped; it does no harm."""

from __future__ import annotations

from array import array
from pathlib import Path

import pytest
import torch
from harness.device_events import Event, has_events
from harness.stand_in import ledger, there
from tracer.bare_hub import bare, debuggee, write

from stepdbg.protocol import messages as m
from stepdbg.tracer.session import on_the_way
from stepdbg.tracer.watches.far_norms import FarNorms, Moved

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


FAR = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from harness import far_away
far_away.install(lag=LAG)
{TRAIN}
print("waits", sorted(set(far_away.waits)))
"""


@pytest.mark.parametrize(("go", "updates", "lag"), [("continue", 120, 1), ("continue", 120, 3), ("finish", 5, 2)])
def test_on_a_device_they_are_filled_in_when_they_have_come_and_nothing_waits(
    go: m.Go, updates: int, lag: int, tmp_path: Path
) -> None:
    script = write(tmp_path, FAR.replace("UPDATES", str(updates)).replace("LAG", str(lag)))
    with debuggee(script, go=go) as training:
        stop = training.stop()
        while stop.reason != "exit":
            stop = training.go(go)
        found = training.ask(m.ReadHistory("net.0.weight"))
        frozen = training.ask(m.ReadHistory("net.frozen"))
        training.go("continue")
        code, output, errors = training.end()
    assert (code, errors) == (0, "")
    *lines, waits = output.splitlines()
    rows = {int(line.split()[0]): [float(word) for word in line.split()[1:]] for line in lines}
    assert lines == bare(script)[1].splitlines()[:-1]
    sampled = [point.update for point in found.points]
    assert sampled[:2] == [1, 2]
    assert len(sampled) >= 3
    assert [point.grad_norm for point in found.points] == pytest.approx([rows[one][0] for one in sampled], rel=1e-5)
    known = [point for point in found.points if point.ratio is not None]
    assert len(known) >= len(sampled) - 1
    assert [one.ratio for one in known] == pytest.approx([rows[one.update][1] for one in known], rel=1e-4)
    assert {(point.grad_norm, point.ratio) for point in frozen.points} <= {(None, None)}
    assert go == "finish" or waits == "waits []"


def test_norms_of_all_types_are_asked_of_a_device_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    has_events(monkeypatch)
    torch.manual_seed(0)
    types = (torch.float32, torch.bfloat16, torch.float64, torch.float16, torch.float32)
    before = [torch.randn(50).to(dtype) for dtype in types]
    after = [one + 0.25 for one in before]
    after[4] = before[4] = torch.zeros(50)
    norms, ratios = array("f", [-1.0]) * 9, array("f", [-1.0]) * 9
    far = FarNorms()
    with ledger() as asked:
        graded = [(place + 2, there(one)) for place, one in enumerate(before[:3])]
        pairs = enumerate(zip(after, before, strict=True))
        far.ask(norms, ratios, graded, [Moved(place, there(a), there(b)) for place, (a, b) in pairs])
        far.fill_in()
        assert not any(one >= 0 for one in (*norms, *ratios))
        Event.over = True
        far.fill_in()
    assert not asked.waits
    wanted = [one.double().norm().item() for one in before[:3]]
    assert [*norms] == pytest.approx([-1.0, -1.0, *wanted, -1.0, -1.0, -1.0, -1.0], rel=1e-5)
    moved = [((a - b).double().norm() / a.double().norm()).item() for a, b in zip(after[:4], before[:4], strict=True)]
    assert [*ratios] == pytest.approx([*moved, 0.0, -1.0, -1.0, -1.0, -1.0], rel=1e-5)


def test_a_device_that_has_no_memory_for_it_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_memory(shape: torch.Size) -> torch.Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    has_events(monkeypatch)
    monkeypatch.setattr(on_the_way, "pinned", no_memory)
    norms = array("f", [-1.0])
    far = FarNorms()
    with ledger():
        far.ask(norms, norms, [(0, there(torch.ones(3)))], [])
        far.fill_in()
    assert [*norms] == [-1.0]
