"""A training loop that times itself: `loop.py tiny UPDATES` or `loop.py 5ms UPDATES`; prints seconds per update.

Of twenty stretches the fastest counts, so that a busy machine does not drown a difference of microseconds.
"""

import sys
import time

import torch
from torch import nn

torch.manual_seed(0)
torch.set_num_threads(1)
width = {"tiny": 4, "5ms": 256}[sys.argv[1]]
updates = int(sys.argv[2])
model = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, width))
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()
# Bound by arithmetic: on a shared machine it is the memory's speed that varies.
x, y = torch.randn(900, width), torch.randn(900, width)


def train(count: int) -> None:
    """So many updates."""
    for _ in range(count):
        optimizer.zero_grad()
        y_hat = model(x)
        loss = loss_fn(y_hat, y)
        loss.backward()
        optimizer.step()


CHUNKS = 20
train(20)
seconds = []
for _ in range(CHUNKS):
    began = time.perf_counter()
    train(updates // CHUNKS)
    seconds.append((time.perf_counter() - began) / (updates // CHUNKS))
print(min(seconds))  # what else runs on the machine can only add
