"""The rule `non-finite` on programs in which a NaN or an infinity does no harm, and on those that end with one."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee

from stepdbg.protocol.messages import Finding, Tracing

BEGIN = """
import torch
from torch import nn
torch.manual_seed(0)
model = nn.Linear(4, 2)
opt = torch.optim.Adam(model.parameters(), lr=0.01)
x, y = torch.randn(6, 4), torch.randn(6, 2)
"""
LEGAL = {
    "a mask of -inf that is frozen": """
class Masked(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(4, 4)
        self.mask = nn.Parameter(torch.full((4, 4), -torch.inf).triu(1), requires_grad=False)
    def forward(self, x):
        return (self.scores(x) @ torch.ones(4, 4) + self.mask).softmax(-1)
model = Masked()
opt = torch.optim.Adam(model.parameters())
for _ in range(3):
    opt.zero_grad()
    model(x[:4]).square().mean().backward()
    opt.step()
""",
    "targets that are missing and masked": """
y[2] = torch.nan
for _ in range(3):
    opt.zero_grad()
    p = model(x)
    there = ~y.isnan()
    loss = (p[there] - y[there]).square().mean()
    loss.backward()
    opt.step()
""",
    "gradients that the script skips": """
for i in range(4):
    opt.zero_grad()
    loss = (model(x) - y).square().mean() * (torch.inf if i == 1 else 1)
    loss.backward()
    if torch.isfinite(nn.utils.clip_grad_norm_(model.parameters(), 1.0)):
        opt.step()
""",
    "gradients that the script mends": """
for i in range(4):
    opt.zero_grad()
    p = model(x)
    ((p - p.detach()).square().sum(1).sqrt() + (p - y).square().sum(1)).mean().backward()
    for one in model.parameters():
        one.grad.nan_to_num_()
    opt.step()
""",
    "a scaler that skips": """
scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
for i in range(4):
    opt.zero_grad()
    loss = (model(x) - y).square().mean() * (1e38 if i == 1 else 1)
    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
""",
    "outputs of -inf": """
for _ in range(3):
    opt.zero_grad()
    logits = model(x).masked_fill(torch.tensor([False, True]), -torch.inf)
    nn.functional.cross_entropy(logits, torch.zeros(6, dtype=torch.long)).backward()
    opt.step()
""",
}
HARMFUL = {
    "a script that ends with it": (
        """
for i in range(3):
    opt.zero_grad()
    loss = (model(x) - y).square().mean().sub(i * 1e9).log()
    if loss.isnan():
        break
    loss.backward()
    opt.step()
""",
        "loss is NaN",
    ),
    "one that raises for it": (
        """
for i in range(3):
    opt.zero_grad()
    loss = (model(x) / (0.0 if i else 1.0)).mean()
    if not loss.isfinite():
        raise ValueError("the loss is not finite")
    loss.backward()
    opt.step()
""",
        "loss is",
    ),
    "a step too large": (
        """
opt = torch.optim.SGD(model.parameters(), lr=1e30)
for i in range(4):
    opt.zero_grad()
    loss = (model(x) - y).square().mean()
    loss.backward()
    opt.step()
""",
        "infinite",
    ),
}


def found(tmp_path: Path, text: str) -> list[Finding]:
    script = tmp_path / "train.py"
    script.write_text(BEGIN + text)
    with debuggee(str(script), go="continue", trace=Tracing(updates=20, rules=("non-finite",))) as training:
        list(training.stops("continue"))
        training.end()
    assert training.checked is not None
    assert not [words for words in training.checked.unchecked if "failed" in words]
    return [*{one.key: one for one in training.found}.values()]


@pytest.mark.parametrize("name", LEGAL)
def test_what_does_no_harm_is_no_more_than_a_fact(tmp_path: Path, name: str) -> None:
    assert not [one for one in found(tmp_path, LEGAL[name]) if one.severity != "info"]


@pytest.mark.parametrize("name", HARMFUL)
def test_what_ends_training_is_told_with_what_has_made_it(tmp_path: Path, name: str) -> None:
    text, words = HARMFUL[name]
    (one,) = found(tmp_path, text)
    assert words in one.message
    assert one.severity == "error"
    assert one.cause
