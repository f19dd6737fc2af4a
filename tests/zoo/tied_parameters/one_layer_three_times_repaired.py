"""Three layers."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5), nn.Tanh(), nn.Linear(5, 5))
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(9, 5)
for _ in range(10):
    loss = (net(x) - x.roll(1, dims=1)).square().mean()
    sgd.zero_grad()
    loss.backward()
    sgd.step()
