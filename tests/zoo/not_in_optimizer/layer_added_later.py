"""A layer is added after the optimizer was made: the optimizer has never heard of it."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
opt = torch.optim.SGD(net.parameters(), lr=0.01)
net.append(nn.Linear(8, 1))
x = torch.randn(16, 4)
y = x.prod(1, keepdim=True)
for _ in range(25):
    net.zero_grad()
    loss = (net(x) - y).square().mean()
    loss.backward()
    opt.step()  # <- not-in-optimizer: net.2.weight and net.2.bias get gradients
