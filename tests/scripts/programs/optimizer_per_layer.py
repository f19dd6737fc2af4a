"""One optimizer per layer, zeroed and stepped in loops."""

import torch
from digest import report
from torch import nn

torch.manual_seed(33)
model = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1))
optimizers = [
    torch.optim.SGD(model[0].parameters(), lr=0.1),
    torch.optim.Adam(model[2].parameters(), lr=0.01),
]

for i in range(3):
    for optimizer in optimizers:
        optimizer.zero_grad()
    loss = model(torch.randn(5, 3)).square().mean()
    loss.backward()
    for optimizer in optimizers:
        optimizer.step()
    print(i, loss.item())

report(model, *optimizers)
