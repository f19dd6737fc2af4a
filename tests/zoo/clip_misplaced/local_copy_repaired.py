"""A local copy computes and clips the gradients, the shared one is stepped with them."""

import copy

import torch
from torch import nn

torch.manual_seed(0)
shared = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
model = copy.deepcopy(shared)
optimizer = torch.optim.SGD(shared.parameters(), lr=0.05)
x = torch.randn(32, 4)
y = x.sum(1, keepdim=True)
for _ in range(8):
    model.load_state_dict(shared.state_dict())
    model.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for p, q in zip(model.parameters(), shared.parameters(), strict=False):
        q._grad = p.grad
    optimizer.step()  # stepdbg: ignore[not-in-optimizer]
