"""The script ends itself with a status of its own, after what atexit has to say."""

import atexit
import sys

import torch
from digest import report
from torch import nn

torch.manual_seed(53)
model = nn.Linear(2, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
atexit.register(report, model, optimizer)

for i in range(100):
    optimizer.zero_grad()
    loss = model(torch.ones(3, 2)).square().mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())
    if i == 1:
        print("early", file=sys.stderr)
        sys.exit(3)
