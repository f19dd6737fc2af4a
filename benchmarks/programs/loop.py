"""A training loop that times itself: `loop.py tiny UPDATES` or `loop.py 5ms UPDATES`; prints seconds per update."""

import sys
import time

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
width = {"tiny": 4, "5ms": 700}[sys.argv[1]]
updates = int(sys.argv[2])
model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()
x, y = torch.randn(64, width), torch.randn(64, width)


def train(count: int) -> None:
    """So many updates."""
    for _ in range(count):
        optimizer.zero_grad()
        y_hat = model(x)
        loss = loss_fn(y_hat, y)
        loss.backward()
        optimizer.step()


train(20)
began = time.perf_counter()
train(updates)
print((time.perf_counter() - began) / updates)
