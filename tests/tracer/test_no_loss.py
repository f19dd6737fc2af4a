"""Where nothing that has a graph was made of a model's output, no loss was: none is told of, stepped or free."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

from stepdbg.protocol.messages import Breakpoint, Stop
from stepdbg.tui.words.sentence import sentence

BEGIN = """
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
net = nn.Linear(4, 3)
class Pair(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = net
    def forward(self, x):
        return self.inner(x), x
pair = Pair()
x, labels = torch.randn(12, 4), torch.randint(0, 3, (12,))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
loader = DataLoader(TensorDataset(x, labels), batch_size=12)
"""
PLAIN = "zero_grad forward loss backward step"
ROUNDS = {
    "an accuracy before zero_grad": (
        """
for i in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), labels).backward()
    opt.step()
    right = (net(x).argmax(1) == labels).float().mean()
""",
        [f"{PLAIN} forward"] * 4,
    ),
    "an accuracy before a batch is fetched": (
        """
for i in range(4):
    for a, b in loader:
        opt.zero_grad()
        F.cross_entropy(net(a), b).backward()
        opt.step()
        right = (net(a).argmax(1) == b).float().mean()
""",
        [f"data {PLAIN} forward data"] * 4,
    ),
    "an accuracy before the step": (
        """
for i in range(4):
    opt.zero_grad()
    F.cross_entropy(net(x), labels).backward()
    right = (net(x).argmax(1) == labels).float().mean()
    opt.step()
""",
        ["zero_grad forward loss backward forward step"] * 4,
    ),
    "of a model that returns two": (
        """
for i in range(4):
    opt.zero_grad()
    F.cross_entropy(pair(x)[0], labels).backward()
    opt.step()
    right = (pair(x)[0].argmax(1) == labels).float().mean()
""",
        [f"{PLAIN} forward"] * 4,
    ),
    "a loss before zero_grad": (
        """
for i in range(4):
    loss = F.cross_entropy(net(x), labels)
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
        ["forward loss zero_grad backward step"] * 4,
    ),
}


def course(stops: list[Stop]) -> list[str]:
    """The phases done, an update a line."""
    found: dict[int, list[str]] = {}
    for stop in stops:
        if stop.boundary.done is not None and not stop.boundary.inside:
            found.setdefault(stop.boundary.update, []).append(stop.boundary.done)
    return [" ".join(found[update]) for update in sorted(found)]


@pytest.mark.parametrize("rounds", ROUNDS)
def test_a_forward_of_which_no_loss_is_made_is_followed_by_what_comes_next(rounds: str, tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + ROUNDS[rounds][0])
    with debuggee(script) as training:
        stepped = list(training.stops())
    assert course(stepped) == ROUNDS[rounds][1]
    with debuggee(script, go="continue") as training:
        *_, free = training.stops("continue")
    assert (free.boundary.index, free.boundary.update) == (stepped[-1].boundary.index, stepped[-1].boundary.update)
    assert [record.name for record in free.phases] == [record.name for record in stepped[-1].phases]


def test_a_breakpoint_is_met_where_a_loss_was_foretold_and_none_came(tmp_path: Path) -> None:
    script = write(tmp_path, BEGIN + ROUNDS["an accuracy before zero_grad"][0])
    with debuggee(script, go="continue", breakpoints=(Breakpoint(1, phase="zero_grad"),)) as training:
        stops = list(training.stops("continue"))
    assert [(stop.boundary.update, stop.boundary.opens) for stop in stops[:-1]] == [(1, 1), (1, 2), (2, 3), (3, 4)]


STANDING = {
    "zero_grad": (ROUNDS["an accuracy before zero_grad"][0], 4),
    "forward": (
        """
for i in range(4):
    net(x)
    F.cross_entropy(net(x), labels).backward()
    opt.step()
    opt.zero_grad()
""",
        8,
    ),
}


@pytest.mark.parametrize("before", STANDING)
def test_one_who_stands_where_something_else_was_foretold_is_stopped_once_more(before: str, tmp_path: Path) -> None:
    loop, times = STANDING[before]
    with debuggee(write(tmp_path, BEGIN + loop), breakpoints=(Breakpoint(1, phase=before),)) as training:
        stops = list(training.stops())
    places = [(stop.boundary.index, stop.boundary.next) for stop in stops if stop.reason == "breakpoint"]
    assert len(places) == len(set(places)) == times
    assert {following for _, following in places} == {before}


def test_a_loss_that_no_variable_holds_is_not_told_as_made_later_than_it_was(
    tmp_path: Path,
) -> None:
    loop = """
deep = {"a": {"b": {"c": {}}}}
def compute():
    deep["a"]["b"]["c"]["loss"] = F.cross_entropy(net(x), labels)
for i in range(3):
    compute()
    opt.zero_grad()
    deep["a"]["b"]["c"]["loss"].backward()
    opt.step()
"""
    with debuggee(write(tmp_path, BEGIN + loop)) as training:
        stops = list(training.stops())
    assert course(stops) == ["forward loss zero_grad backward step"] * 3
    for stop in stops[1:]:
        assert stop.effects is not None
        assert not [one for one in stop.effects.named if one.kind == "loss"]
    losses = [sentence(stop) for stop in stops if stop.boundary.done == "loss"]
    assert losses == ["loss made nothing that a variable in sight holds"] * 3
