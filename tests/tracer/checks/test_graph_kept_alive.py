"""The rule `graph-kept-alive` on programs that keep tensors for a while, and on states that modules keep."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee

from stepdbg.protocol.messages import Finding, Tracing

BEGIN = """
from collections import deque
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.01)
x = torch.randn(16, 3)
y = x.sum(1, keepdim=True)
def error():
    return nn.functional.mse_loss(model(x), y)
def step(loss):
    opt.zero_grad()
    loss.backward()
    opt.step()
"""
LEGAL = {
    "a window of the newest": """
window = deque(maxlen=2)
for _ in range(9):
    loss = error()
    step(loss)
    window.append(loss)
""",
    "losses of one update, kept until it is done": """
for _ in range(8):
    losses = [error() for _ in range(6)]
    step(torch.stack(losses).mean())
""",
    "an average of numbers, and outputs that are detached": """
average, outputs = 0.0, []
for _ in range(8):
    output = model(x)
    loss = nn.functional.mse_loss(output, y)
    step(loss)
    average = 0.9 * average + 0.1 * loss.detach()
    outputs.append(output.detach())
""",
    "a list that is emptied": """
kept = []
for i in range(9):
    loss = error()
    step(loss)
    kept.append(loss)
    if i % 2:
        kept.clear()
""",
    "an inner loop with a graph": """
for _ in range(7):
    weights = [w.clone() for w in model.parameters()]
    for _ in range(6):
        out = torch.tanh(x @ weights[0].T + weights[1]) @ weights[2].T + weights[3]
        grads = torch.autograd.grad((out - y).square().mean(), weights, create_graph=True)
        weights = [w - 0.01 * g for w, g in zip(weights, grads)]
    out = torch.tanh(x @ weights[0].T + weights[1]) @ weights[2].T + weights[3]
    step((out - y).square().mean())
""",
    "a state that a module detaches": """
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head, self.state = nn.GRUCell(3, 4), nn.Linear(4, 1), torch.zeros(16, 4)
    def forward(self, x):
        self.state = self.cell(x, self.state.detach())
        return self.head(self.state)
model = Cell()
opt = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(8):
    step(error())
""",
}
KEPT = """
class Cell(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head, self.state = nn.GRUCell(3, 4), nn.Linear(4, 1), torch.zeros(16, 4)
    def forward(self, x):
        self.state = self.cell(x, self.state)
        return self.head(self.state)
model = Cell()
opt = torch.optim.SGD(model.parameters(), lr=0.01)
for _ in range(8):
    loss = error()
    try:
        loss.backward(KEEPING)
    except RuntimeError:
        break
    opt.step()
"""


def found(tmp_path: Path, text: str) -> list[Finding]:
    script = tmp_path / "train.py"
    script.write_text(BEGIN + text)
    with debuggee(str(script), go="continue", trace=Tracing(updates=20, rules=("graph-kept-alive",))) as training:
        list(training.stops("continue"))
        code, _, errors = training.end()
    assert code == 0, errors
    assert training.checked is not None
    assert not training.checked.unchecked
    return [*{one.key: one for one in training.found}.values()]


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_let_go_of_in_time_is_not_found(tmp_path: Path, name: str) -> None:
    assert not found(tmp_path, LEGAL[name])


@pytest.mark.parametrize("keeping", ["", "retain_graph=True"])
def test_a_state_that_a_module_keeps_with_its_graph_is_found(tmp_path: Path, keeping: str) -> None:
    text = KEPT.replace("KEEPING", keeping)
    (one,) = found(tmp_path, text)
    assert one.severity == "error"
    assert one.objects == ("model.state",)
    line = (BEGIN + text).split("\n").index("        self.state = self.cell(x, self.state)") + 1
    assert one.line == line
