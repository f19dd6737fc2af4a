"""Clipping by value, its name bound at import; gradients clipped by norm with foreach in the last update."""

import torch
from digest import report
from torch import nn
from torch.nn.utils import clip_grad_norm_, clip_grad_value_

torch.manual_seed(19)
model = nn.Linear(4, 2)
optimizer = torch.optim.Adagrad(model.parameters(), lr=0.1)

for i in range(3):
    optimizer.zero_grad()
    loss = model(torch.randn(5, 4)).exp().sum()
    loss.backward()
    if i < 2:
        clip_grad_value_(model.parameters(), 0.5)
    else:
        print("norm", clip_grad_norm_(model.parameters(), 2.0).item())
    optimizer.step()
    print(i, loss.item())

report(model, optimizer)
