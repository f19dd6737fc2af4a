"""The rule `duplicate-batch` on programs that train on the same batch, or draw the same numbers, on purpose."""

from __future__ import annotations

from pathlib import Path

import pytest
from tracer.bare_hub import debuggee

from stepdbg.protocol.messages import Tracing

BEGIN = """
import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, get_worker_info
torch.manual_seed(0)
model = nn.Linear(3, 1)
opt = torch.optim.SGD(model.parameters(), lr=0.01)
x = torch.randn(16, 3)
data = TensorDataset(x, x.sum(1, keepdim=True))
def step(a, b):
    opt.zero_grad()
    nn.functional.mse_loss(model(a), b).backward()
    opt.step()
"""
LEGAL = {
    "one batch that is kept": """
a, b = next(iter(DataLoader(data, batch_size=4)))
for _ in range(6):
    step(a, b)
""",
    "a loader of one batch": """
loader = DataLoader(data, batch_size=16)
for _ in range(6):
    a, b = next(iter(loader))
    step(a, b)
""",
    "a loop that is left after its first batch": """
loader = DataLoader(data, batch_size=4)
for _ in range(6):
    for i, (a, b) in enumerate(loader):
        step(a, b)
        break
""",
    "a loader that shuffles": """
loader = DataLoader(data, batch_size=4, shuffle=True)
for _ in range(6):
    a, b = next(iter(loader))
    step(a, b)
""",
    "equal samples": """
class Same(Dataset):
    def __init__(self):
        self.x = torch.ones(16, 3)
    def __len__(self):
        return 16
    def __getitem__(self, i):
        return self.x[0], torch.ones(1)
for a, b in DataLoader(Same(), batch_size=2):
    step(a, b)
""",
    "a batch that is looked at first": """
loader = DataLoader(data, batch_size=4)
print(next(iter(loader))[0].shape)
for _ in range(2):
    for a, b in loader:
        step(a, b)
""",
    "an evaluation on one batch": """
loader, held = DataLoader(data, batch_size=4), DataLoader(data, batch_size=2)
for _ in range(2):
    for a, b in loader:
        step(a, b)
        with torch.no_grad():
            c, d = next(iter(held))
            model(c)
""",
    "a generator that is seeded for each index, or shuffles in the main process": """
class Noisy(Dataset):
    def __init__(self):
        self.rng, self.order, self.shuffling = np.random.RandomState(0), np.arange(16), np.random.default_rng(1)
    def __len__(self):
        return 16
    def begin_epoch(self):
        self.shuffling.shuffle(self.order)
    def __getitem__(self, i):
        self.rng.seed(i)
        return x[self.order[i]] + float(self.rng.normal()), torch.ones(1)
noisy = Noisy()
noisy.begin_epoch()
for a, b in DataLoader(noisy, batch_size=4, num_workers=2):
    step(a.float(), b)
""",
}


@pytest.mark.parametrize("name", LEGAL)
def test_what_is_done_on_purpose_is_not_found(tmp_path: Path, name: str) -> None:
    script = tmp_path / "train.py"
    script.write_text(BEGIN + LEGAL[name])
    with debuggee(str(script), go="continue", trace=Tracing(updates=20, rules=("duplicate-batch",))) as training:
        list(training.stops("continue"))
        code, _, errors = training.end()
    assert code == 0, errors
    assert training.checked is not None
    assert not training.checked.unchecked
    assert not training.found
