"""Plain gradient descent with a step that is too long for a regression: each overshoots by more than the last."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(128, 6)
y = x @ torch.randn(6, 1)
model = nn.Linear(6, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=1.8)
for _ in range(6):
    for inputs, targets in zip(x.split(32), y.split(32), strict=True):
        loss = nn.functional.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # <- exploding: the steps of optimizer are too large
