"""One layer is applied at three depths: it has three names."""

import torch
from torch import nn

torch.manual_seed(0)
layer = nn.Linear(5, 5)
net = nn.Sequential(layer, nn.Tanh(), layer, nn.Tanh(), layer)
sgd = torch.optim.SGD(net.parameters(), lr=0.1)
x = torch.randn(9, 5)
for _ in range(10):
    loss = (net(x) - x.roll(1, dims=1)).square().mean()
    sgd.zero_grad()
    loss.backward()
    sgd.step()  # <- tied-parameters: the same tensor as net.2.weight and net.4.weight
