"""Stepping into forwards while the tracer looks for models that it does not know yet, and after it has done so."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import debuggee, write
from tracer.test_into import units

GENERATOR = """
import torch
import stepdbg

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2)
    def forward(self, x):
        return self.second(self.first(x).relu())

@stepdbg.loop
def train():
    model = Net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(8):
        yield "zero_grad"
        optimizer.zero_grad()
        yield "forward"
        out = model(torch.ones(2, 3))
        yield "loss"
        loss = out.sum()
        yield "backward"
        loss.backward()
        yield "step"
        optimizer.step()

train()
print(torch.nn.Module.__call__ is torch.nn.Module._wrapped_call_impl)
"""


def test_every_forward_is_gone_through_also_where_new_models_are_looked_for_no_more(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, GENERATOR)) as training:
        stops, stop = [], training.stop()
        while stop is not None:
            stops.append(stop)
            stop = training.go("into" if stop.boundary.update <= 4 else "continue")
        status, out, err = training.end()
    told = [unit for unit in units(iter(stops)) if unit.startswith("forward")]
    assert told == ["forward: Linear model.first", "forward: Linear model.second", "forward: Net model"] * 4
    assert (status, out, err) == (0, "True\n", ""), "torch's own call is back where training runs freely"


MADE_WITHIN = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.calls = torch.nn.Linear(3, 4), torch.nn.Linear(4, 2), 0
    def forward(self, x):
        self.calls += 1
        x = self.first(x).relu()
        if self.calls == 4:
            self.own = torch.optim.SGD(self.second.parameters(), lr=0.1)
        return self.second(x)

model = Net()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for _ in range(9):
    optimizer.zero_grad()
    loss = model(torch.ones(2, 3)).sum()
    loss.backward()
    optimizer.step()
print(torch.nn.Module.__call__ is torch.nn.Module._wrapped_call_impl)
"""


def test_a_forward_is_gone_through_to_its_end_also_where_it_makes_an_optimizer(tmp_path: Path) -> None:
    with debuggee(write(tmp_path, MADE_WITHIN)) as training:
        stops, stop = [], training.stop()
        while stop is not None:
            stops.append(stop)
            stop = training.go("into" if stop.boundary.update <= 5 else "continue")
        status, out, err = training.end()
    told = [unit for unit in units(iter(stops)) if unit.startswith("forward")]
    assert told == ["forward: Linear model.first", "forward: Linear model.second"] * 5
    assert (status, out, err) == (0, "True\n", ""), "torch's own call is back where training runs freely"
