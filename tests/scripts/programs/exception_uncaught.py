"""A shape that does not fit, in the second update: the script ends with torch's own traceback."""

import torch
from digest import report
from torch import nn

torch.manual_seed(52)
model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)


def update(width):
    optimizer.zero_grad()
    loss = model(torch.randn(4, width)).square().mean()
    loss.backward()
    optimizer.step()
    report(model, optimizer)


update(3)
update(4)
