"""LBFGS evaluates its closure several times in a step."""

import torch
from digest import report
from torch import nn

torch.manual_seed(15)
model = nn.Linear(3, 1)
optimizer = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=2)
x = torch.randn(12, 3)
y = x.sum(1, keepdim=True)


def closure():
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    return loss


for i in range(2):
    print(i, optimizer.step(closure).item())
report(model, optimizer)
