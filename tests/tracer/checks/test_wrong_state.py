"""A state of other shapes is named before the step that fails on it."""

from __future__ import annotations

from pathlib import Path

from tracer.bare_hub import debuggee

from stepdbg.protocol.messages import Tracing

SCRIPT = """
import torch
from torch import nn

torch.manual_seed(0)
model = nn.Linear(6, 6)


def train(optimizer, updates):
    for _ in range(updates):
        x = torch.randn(4, 6)
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), x).backward()
        optimizer.step()


first = torch.optim.AdamW(model.parameters())
train(first, 2)
second = torch.optim.AdamW([model.bias, model.weight])
second.load_state_dict(first.state_dict())
train(second, 2)
"""


def test_a_state_of_other_shapes_is_named_though_the_step_fails(tmp_path: Path) -> None:
    script = tmp_path / "resumed.py"
    script.write_text(SCRIPT)
    with debuggee(str(script), go="continue", trace=Tracing(updates=20, rules=("wrong-state",))) as training:
        list(training.stops("continue"))
        code, _, errors = training.end()
    assert code == 1
    assert "RuntimeError" in errors
    (found,) = {one.key: one for one in training.found}.values()
    assert found.objects == ("model.bias", "model.weight")
    assert "is 6×6, and the parameter 6" in found.message
    assert SCRIPT.split("\n")[found.line - 1] == "second.load_state_dict(first.state_dict())"
