"""An exponential moving average kept in a deep copy, and evaluated after each update."""

import copy

import torch
from digest import report
from torch import nn

torch.manual_seed(27)
model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 1))
ema = copy.deepcopy(model).requires_grad_(False)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, nesterov=True, momentum=0.9)


@torch.no_grad()
def average(decay=0.9):
    for kept, new in zip(ema.parameters(), model.parameters(), strict=True):
        kept.lerp_(new, 1 - decay)


for i in range(3):
    x = torch.randn(8, 4)
    optimizer.zero_grad()
    loss = (model(x) - x.sum(1, keepdim=True)).square().mean()
    loss.backward()
    optimizer.step()
    average()
    with torch.no_grad():
        print(i, loss.item(), ema(x).sum().item())

report(model, ema, optimizer)
