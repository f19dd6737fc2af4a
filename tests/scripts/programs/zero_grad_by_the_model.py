"""The model clears the gradients; in the second half the optimizer does so once more."""

import torch
from digest import report
from torch import nn

torch.manual_seed(3)
model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 1))
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.01)
x = torch.randn(8, 4)

for i in range(4):
    model.zero_grad(set_to_none=i % 2 == 0)
    if i >= 2:
        optimizer.zero_grad()
    loss = model(x).pow(2).mean()
    loss.backward()
    optimizer.step()
    print(i, loss.item())

report(model, optimizer)
