"""A loss module, a functional, an arithmetic expression, and a loss that the model returns."""

import torch
from digest import report
from torch import nn


class Regression(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(4, 1)

    def forward(self, x, target=None):
        out = self.fc(x)
        return out if target is None else (out - target).square().mean()


torch.manual_seed(12)
model = Regression()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = nn.SmoothL1Loss()
x = torch.randn(10, 4)
y = x.sum(1, keepdim=True)

optimizer.zero_grad()
loss = criterion(model(x), y)
loss.backward()
optimizer.step()
print(loss.item())

optimizer.zero_grad()
functional_loss = nn.functional.l1_loss(model(x), y)
functional_loss.backward()
optimizer.step()
print(functional_loss.item())

optimizer.zero_grad()
y_hat = model(x)
cost = ((y_hat - y) ** 2).sum() / len(x)
cost.backward()
optimizer.step()
print(cost.item())

optimizer.zero_grad()
returned = model(x, y)
returned.backward()
optimizer.step()
print(returned.item())

report(model, optimizer)
