"""A breakpoint stops training where it says and nowhere else, however the loop is written.

Each training is stepped once through all its boundaries; then it is let run to each breakpoint, which has to be met at
just those boundaries at which, by what was seen, all that it says holds.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import cache
from pathlib import Path

import msgspec
import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol.breakpoint_text import parse
from stepdbg.protocol.messages import Boundary, Stop

BEGIN = """
import torch
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
x = torch.randn(12, 4); y = x.sum(1, keepdim=True)
def cost(pred, target): return (pred - target).square().mean()
"""
SCRIPTS = {
    "textbook": """
opt = optim.SGD(net.parameters(), lr=0.05)
for i in range(12):
    opt.zero_grad()
    loss = cost(net(x), y)
    loss.backward()
    opt.step()
""",
    "another name for the loss": """
opt = optim.SGD(net.parameters(), lr=0.05)
for i in range(12):
    total = cost(net(x), y)
    opt.zero_grad()
    total.backward()
    opt.step()
""",
    "accumulation, clip, scheduler": """
opt = optim.AdamW(net.parameters(), lr=0.05)
sched = optim.lr_scheduler.StepLR(opt, 4, 0.5)
for i in range(8):
    for part in range(2):
        loss = cost(net(x[part::2]), y[part::2]) / 2
        loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    opt.step()
    sched.step()
    opt.zero_grad()
""",
    "closure": """
opt = optim.LBFGS(net.parameters(), lr=0.1, max_iter=2)
def closure():
    opt.zero_grad()
    loss = cost(net(x), y)
    loss.backward()
    return loss
for i in range(5):
    opt.step(closure)
""",
    "two models": """
D, G = nn.Linear(4, 1), nn.Linear(2, 4)
opt_d, opt_g = optim.SGD(D.parameters(), lr=0.05), optim.SGD(G.parameters(), lr=0.05)
for i in range(6):
    opt_d.zero_grad()
    loss_d = D(G(torch.randn(8, 2)).detach()).mean() - D(x).mean()
    loss_d.backward()
    opt_d.step()
    opt_g.zero_grad()
    loss_g = -D(G(torch.randn(8, 2))).mean()
    loss_g.backward()
    opt_g.step()
""",
    "loader and epochs": """
opt = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
loader = DataLoader(TensorDataset(x, y), batch_size=4)
for epoch in range(4):
    for batch, target in loader:
        opt.zero_grad()
        loss = cost(net(batch), target)
        loss.backward()
        opt.step()
""",
    "scaler": """
opt = optim.SGD(net.parameters(), lr=0.05)
scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
for i in range(8):
    opt.zero_grad()
    loss = cost(net(x), y)
    scaler.scale(loss).backward()
    scaler.unscale_(opt)
    scaler.step(opt)
    scaler.update()
""",
}
Holds = Callable[[Boundary], bool]


def coming(at: Boundary) -> int:
    """The update that the phase which comes next is part of."""
    return at.opens or at.update


PLACES: dict[str, Holds] = {
    "backward": lambda at: at.next == "backward",
    "after backward": lambda at: at.done == "backward",
    "before backward at update 3": lambda at: at.next == "backward" and coming(at) == 3,
    "after step every 2": lambda at: at.done == "step" and at.update % 2 == 0,
    "update 4": lambda at: at.opens == 4,
    "update every 3": lambda at: at.opens is not None and at.opens % 3 == 0,
    "epoch 3": lambda at: at.opens == 7 and at.epoch is not None and at.done == "data",
    "epoch 1": lambda at: at.index == 1 and at.epoch is not None,
    "update every 2 in epoch 2": lambda at: (
        at.epoch is not None and ((at.opens == 4 and at.done == "data") or at.opens == 6)
    ),
    "before data in epoch 2": lambda at: (
        at.next == "data"
        and at.epoch is not None
        and ((at.opens == 4 and at.done == "data") or at.opens in (5, 6) or (at.opens == 7 and at.done == "step"))
    ),
    "forward": lambda at: at.next == "forward",
    "after zero_grad at update 2": lambda at: at.done == "zero_grad" and at.update == 2,
    "backward if loss < 1": lambda at: at.next == "backward" and at.loss is not None and at.loss < 1,
    "step if loss < 1": lambda at: at.next == "step" and at.loss is not None and at.loss < 1,
    "step if update > 3": lambda at: at.next == "step" and coming(at) > 3,
    "after step if update > 3": lambda at: at.done == "step" and at.update > 3,
    "backward if update % 2 == 1": lambda at: at.next == "backward" and coming(at) % 2 == 1,
    "loss every 2 if update > 2": lambda at: at.next == "loss" and coming(at) % 2 == 0 and coming(at) > 2,
}


@cache
def boundaries(kind: str, folder: Path) -> tuple[Boundary, ...]:
    """All boundaries of that script, as they are met by whoever steps through, with the phase that did come next.

    (What is taken for a loss, while nothing is known of the order, may turn out to be another forward.)
    """
    with debuggee(write(folder, BEGIN + SCRIPTS[kind])) as training:
        found = [stop.boundary for stop in training.stops()]
    return tuple(
        msgspec.structs.replace(at, next=after.done) if at.inside == after.inside and after.done is not None else at
        for at, after in itertools.pairwise(found)
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the scripts lie."""
    return tmp_path_factory.mktemp("met")


def met(folder: Path, kind: str, *texts: str) -> list[Stop]:
    """The stops of that script, let run, with these breakpoints."""
    points = tuple(msgspec.structs.replace(parse(text), number=number) for number, text in enumerate(texts, 1))
    with debuggee(write(folder, BEGIN + SCRIPTS[kind]), go="continue", breakpoints=points) as training:
        stops = [stop for stop in training.stops("continue") if stop.reason == "breakpoint"]
        uncounted = all(stop.epoch is None for stop in boundaries(kind, folder))
        told = [f"breakpoint {number} was never met: no epoch was counted" for number, text in enumerate(texts, 1)
                if uncounted and "epoch" in text]  # fmt: skip
        assert [notice.partition(",")[0] for notice in training.notices] == told
    return stops


@pytest.mark.parametrize("text", PLACES)
@pytest.mark.parametrize("kind", SCRIPTS)
def test_a_breakpoint_is_met_where_it_says_and_nowhere_else(kind: str, text: str, folder: Path) -> None:
    seen = boundaries(kind, folder)
    wanted = [at.index for at in seen if PLACES[text](at)]
    if kind == "closure" and (parse(text).phase, parse(text).when) == ("step", "before"):
        wanted = [index for index in wanted if index in closed(seen)]
    assert [stop.boundary.index for stop in met(folder, kind, text)] == wanted


def closed(seen: tuple[Boundary, ...]) -> set[int]:
    """Where each step has run its closure for the first time: there, and not before the call, the update happens."""
    found, waiting = set[int](), False
    for at in seen:
        if at.next == "step" and not at.inside:
            waiting = True
        elif at.next == "step" and waiting:
            found.add(at.index)
            waiting = False
    return found
