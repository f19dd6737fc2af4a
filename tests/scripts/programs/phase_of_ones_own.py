"""A phase that torch knows nothing of, marked by the script."""

import torch
from digest import report
from torch import nn

import stepdbg

torch.manual_seed(56)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
average = model.weight.detach().clone()

for _ in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(6, 4)).square().mean()
    loss.backward()
    optimizer.step()
    with stepdbg.phase("ema"):
        average.lerp_(model.weight.detach(), 0.1)
    print(loss.item())

report(model, average, optimizer)
