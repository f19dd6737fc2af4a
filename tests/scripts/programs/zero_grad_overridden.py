"""Subclasses override zero_grad: an optimizer that does it all by itself, a model that asks its base."""

import torch
from digest import report
from torch import nn


class Careful(torch.optim.SGD):
    def zero_grad(self, set_to_none=True):
        for group in self.param_groups:
            for parameter in group["params"]:
                parameter.grad = None


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(3, 1)
        self.cleared = 0

    def forward(self, x):
        return self.fc(x)

    def zero_grad(self, set_to_none=True):
        self.cleared += 1
        super().zero_grad(set_to_none)


torch.manual_seed(4)
net = Net()
optimizer = Careful(net.parameters(), lr=0.1)
x = torch.randn(6, 3)
for i in range(4):
    if i < 2:
        optimizer.zero_grad()
    else:
        net.zero_grad()
    loss = net(x).square().sum()
    loss.backward()
    optimizer.step()
    print(i, loss.item(), net.cleared)

report(net, optimizer)
