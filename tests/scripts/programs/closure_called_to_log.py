"""Adam with a closure, which is called once more after the step, only to log."""

import torch
from digest import report
from torch import nn

torch.manual_seed(16)
model = nn.Linear(3, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
x = torch.randn(12, 3)


def closure():
    optimizer.zero_grad()
    out = model(x)
    loss = out.square().mean()
    loss.backward()
    return loss


for i in range(2):
    optimizer.step(closure)
    print(i, closure().item())
report(model, optimizer)
