"""No optimizer: parameters moved through .data, which moves no version counter."""

import torch
from digest import report
from torch import nn

torch.manual_seed(24)
model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 1))
x = torch.randn(6, 3)

for i in range(3):
    model.zero_grad()
    y_hat = model(x)
    loss = y_hat.square().mean()
    loss.backward()
    for p in model.parameters():
        p.data.add_(p.grad, alpha=-0.1)
    print(i, loss.item())

report(model)
