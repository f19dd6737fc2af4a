"""An optimizer wrapped as Lightning's Fabric does it: zero_grad and step arrive on different objects."""

import torch
from digest import report
from torch import nn


class Wrapped:
    def __init__(self, optimizer):
        self.__dict__.update({k: v for k, v in vars(optimizer).items() if k not in ("state_dict", "step")})
        self.__class__ = type("Fabric" + type(optimizer).__name__, (Wrapped, type(optimizer)), {})
        self._optimizer = optimizer

    def step(self, closure=None):
        return self._optimizer.step(closure) if closure else self._optimizer.step()

    def state_dict(self):
        return self._optimizer.state_dict()


torch.manual_seed(43)
model = nn.Linear(3, 1)
optimizer = Wrapped(torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9))
x = torch.randn(5, 3)
for i in range(3):
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())
report(model, optimizer)
