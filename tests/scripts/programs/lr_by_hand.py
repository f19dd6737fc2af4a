"""The learning rate written into param_groups directly, with warmup."""

import torch
from digest import report
from torch import nn

torch.manual_seed(22)
model = nn.Linear(4, 1)
optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
x = torch.randn(8, 4)

for step in range(3):
    for group in optimizer.param_groups:
        group["lr"] = 0.01 * (step + 1)
    optimizer.zero_grad()
    loss = model(x).square().mean()
    loss.backward()
    optimizer.step()
    print(step, loss.item())

report(model, optimizer)
