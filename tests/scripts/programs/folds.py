"""Cross-validation: each fold has a new model and a new optimizer."""

import torch
from digest import report
from torch import nn

torch.manual_seed(31)
x = torch.randn(12, 3)
y = x.sum(1, keepdim=True)
finished = []

for fold in range(3):
    held_out = torch.arange(12) % 3 == fold
    model = nn.Linear(3, 1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(model(x[~held_out]), y[~held_out])
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        print(fold, nn.functional.mse_loss(model(x[held_out]), y[held_out]).item())
    finished += [model, optimizer]

report(*finished)
