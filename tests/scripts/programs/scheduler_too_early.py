"""scheduler.step() before optimizer.step(): torch warns, and names the user's line."""

import warnings

import torch
from digest import report
from torch import nn

torch.manual_seed(23)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)

for _ in range(2):
    scheduler.step()
    optimizer.zero_grad()
    loss = model(torch.randn(3, 2)).sum()
    loss.backward()
    optimizer.step()
    warnings.warn(f"loss {loss.item()}", stacklevel=1)

scheduler.step(5)
report(model, optimizer, scheduler)
