"""A linear probe is trained by hand beside a network that has an optimizer; each is clipped."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
probe = nn.Linear(4, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
x = torch.randn(32, 4)
y = x.sum(1, keepdim=True)
for _ in range(8):
    optimizer.zero_grad()
    probe.zero_grad()
    loss = nn.functional.mse_loss(net(x), y) + nn.functional.mse_loss(probe(x), y)
    loss.backward()
    nn.utils.clip_grad_norm_(net.parameters(), 1.0)
    nn.utils.clip_grad_norm_(probe.parameters(), 1.0)
    optimizer.step()  # stepdbg: ignore[not-in-optimizer]
    with torch.no_grad():
        for p in probe.parameters():
            p -= 0.05 * p.grad
