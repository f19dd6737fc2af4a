"""An evolution strategy: nothing requires a gradient, and what is estimated of it is put into .grad."""

import torch
from torch import nn

torch.manual_seed(0)
model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1)).requires_grad_(False)
optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
x = torch.randn(32, 4)
y = x.sum(1, keepdim=True)
for _ in range(8):
    old = [p.clone() for p in model.parameters()]
    total = [torch.zeros_like(p) for p in old]
    for _ in range(4):
        noise = [torch.randn_like(p) for p in old]
        for p, o, n in zip(model.parameters(), old, noise, strict=True):
            p.copy_(o + 0.1 * n)
        score = nn.functional.mse_loss(model(x), y).item()
        for t, n in zip(total, noise, strict=True):
            t.add_(n * score)
    for p, o, t in zip(model.parameters(), old, total, strict=True):
        p.copy_(o)
        p.grad = t / 4
    optimizer.step()
