"""The gradients are never cleared: each step is made with the sum of all since the beginning."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.01)
x = torch.randn(12, 4)
y = x.sum(1, keepdim=True)
for _ in range(25):
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()  # <- stale-gradients: nothing has cleared them since the step
    opt.step()
print(loss.item())
