"""A module whose forward is the loop that trains it is no model; one that only trains a part of itself there is."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee, write

START = """
import functools
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(12, 4)

def plainly(function):
    @functools.wraps(function)
    def call(*args):
        return function(*args)
    return call
"""
TRAINERS = {
    "the loop itself": """
class Trainer(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)
        self.opt = torch.optim.SGD(self.net.parameters(), lr=0.1)
    def forward(self):
        for part in x.split(4):
            loss = self.net(part).square().mean()
            self.opt.zero_grad()
            loss.backward()
            self.opt.step()
""",
    "in a method of a class that it derives from, behind a decorator": """
class Basis(nn.Module):
    def learn(self, part):
        loss = self.net(part).square().mean()
        [one.zero_grad() for one in self._optimizers.values()]
        self.accelerate(loss.backward)
        [one.step() for one in self._optimizers.values()]
    def accelerate(self, call):
        call()
class Trainer(Basis):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)
        self._optimizers = {"all": torch.optim.SGD(self.parameters(), lr=0.1)}
    @plainly
    def forward(self):
        for part in x.split(4):
            self.learn(part)
""",
}
MODELS = {
    "it holds its optimizer, and another method trains it": """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Linear(4, 2)
        self.opt = torch.optim.SGD(self.parameters(), lr=0.1)
    def forward(self, part):
        return self.net(part)
    def learn(self, part):
        loss = self(part).square().mean()
        self.opt.zero_grad()
        loss.backward()
        self.opt.step()
model = Model()
for part in x.split(4):
    model.learn(part)
""",
    "its forward trains a part of it": """
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.net, self.fast = nn.Linear(4, 2), nn.Linear(2, 2)
        self.inner = torch.optim.SGD(self.fast.parameters(), lr=0.1)
    def forward(self, part):
        found = self.net(part)
        self.inner.zero_grad()
        self.fast(found.detach()).square().mean().backward()
        self.inner.step()
        return self.fast(found)
model = Model()
opt = torch.optim.SGD(model.net.parameters(), lr=0.1)
for part in x.split(4):
    loss = model(part).square().mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
""",
}
ROUND = ["forward", "loss", "zero_grad", "backward", "step"]


@pytest.mark.parametrize("kind", TRAINERS)
def test_the_rounds_in_the_forward_of_a_trainer_are_updates(kind: str, tmp_path: Path) -> None:
    script = write(tmp_path, START + TRAINERS[kind] + "trainer = Trainer()\ntrainer()\ntrainer()\n")
    with debuggee(script) as training:
        stops = [stop for stop in training.stops() if stop.boundary.done]
    done = [(stop.boundary.update, stop.boundary.done) for stop in stops]
    assert done == [(update, phase) for update in range(1, 7) for phase in ROUND]
    assert not any(stop.boundary.inside for stop in stops)
    assert {stop.done_of for stop in stops if stop.boundary.done == "forward"} <= {"trainer.net", ""}
    gradients = {effect.object for stop in stops if stop.effects for effect in stop.effects.named}
    assert {"trainer.net.weight", "trainer.net.weight.grad"} <= gradients


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_holds_an_optimizer_is_one(kind: str, tmp_path: Path) -> None:
    with debuggee(write(tmp_path, START + MODELS[kind])) as training:
        stops = [stop for stop in training.stops() if stop.boundary.done and not stop.boundary.inside]
    done = [(stop.boundary.update, stop.boundary.done) for stop in stops]
    assert done == [(update, phase) for update in range(1, 4) for phase in ROUND]
