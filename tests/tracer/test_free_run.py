"""A free run: it leaves nothing behind, and on a GPU it makes nobody wait.

All in a Python of their own: one measures its memory, and a GPU is not for forks.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tracer.bare_hub import bare, debuggee, write

UPDATES = """
    import resource, torch
    from torch import nn
    torch.set_num_threads(1)
    model = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
    optimizer = torch.optim.Adam(model.parameters())
    x = torch.randn(8, 4)

    def train(updates):
        for _ in range(updates):
            optimizer.zero_grad()
            y_hat = model(x)
            loss = y_hat.square().mean()
            loss.backward()
            optimizer.step()

    def kilobytes():
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * resource.getpagesize() // 1024

    train(500)
    before = kilobytes()
    train(5_000)
    print(kilobytes() - before)
"""
MEGABYTES = 3

ON_CUDA = """
    import torch
    from torch import nn
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 1)).cuda()
    optimizer = torch.optim.Adam(model.parameters(), capturable=True)
    x = torch.randn(8, 16, device="cuda")

    def train(updates):
        for _ in range(updates):
            optimizer.zero_grad()
            y_hat = model(x)
            loss = y_hat.square().mean()
            loss.backward()
            optimizer.step()

    train(3)
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    train(50)
    torch.cuda.set_sync_debug_mode("default")
    print(sum(p.double().sum().item() for p in model.parameters()))
"""


def test_five_thousand_updates_keep_no_more_memory_than_a_bare_run(tmp_path: Path) -> None:
    script = write(tmp_path, UPDATES)
    with debuggee(script, go="continue", cold=True) as training:
        list(training.stops("continue"))
        status, out, err = training.end()
    assert (status, err) == (0, "")
    assert int(out) - int(bare(script, cold=True)[1]) <= MEGABYTES * 1024


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_free_run_on_a_gpu_adds_no_synchronisation_and_changes_no_bit(tmp_path: Path) -> None:
    script = write(tmp_path, ON_CUDA)
    with debuggee(script, go="continue", cold=True) as training:
        list(training.stops("continue"))
        assert training.end() == bare(script, cold=True)
    assert not training.notices


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_stepped_run_on_a_gpu_changes_no_bit_and_sees_each_loss(tmp_path: Path) -> None:
    script = write(tmp_path, ON_CUDA.replace("train(50)", "").replace('"error"', '"default"'))
    with debuggee(script, cold=True) as training:
        stops = list(training.stops())
        assert training.end() == bare(script, cold=True)
    losses = [stop.boundary.loss for stop in stops if stop.boundary.done == "backward"]
    assert len(losses) == 3
    assert all(loss is not None for loss in losses)
