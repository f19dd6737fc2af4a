"""The gradients come from autograd.grad and are put in place, clipped, stepped."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(32, 4)
y = x.sum(1, keepdim=True)
for _ in range(8):
    loss = nn.functional.mse_loss(model(x), y)
    for p, g in zip(model.parameters(), torch.autograd.grad(loss, list(model.parameters())), strict=False):
        p.grad = g
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()
