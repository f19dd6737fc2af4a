"""Training is resumed with an optimizer that lists the parameters as the one that was saved did."""

import io

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width, bias=False)
        self.gate = nn.Linear(width, width, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x).tanh() * self.gate(x).sigmoid()


def batches(count: int):
    for _ in range(count):
        x = torch.randn(16, 6)
        yield x, x.flip(1)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, updates: int) -> float:
    for x, y in batches(updates):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
    return loss.item()


torch.manual_seed(0)
model = Block(6)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
train(model, optimizer, 8)
file = io.BytesIO()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)

# "later"
file.seek(0)
saved = torch.load(file)
resumed = Block(6)
resumed.load_state_dict(saved["model"])
resumed_optimizer = torch.optim.AdamW(resumed.parameters(), lr=1e-2)
resumed_optimizer.load_state_dict(saved["optimizer"])
print(train(resumed, resumed_optimizer, 8))
