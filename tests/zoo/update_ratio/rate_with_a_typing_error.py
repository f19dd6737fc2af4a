"""The learning rate has three zeros too many: the loss stands still."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(80, 10)
y = x[:, :2].sum(dim=1, keepdim=True)
regressor = nn.Sequential(nn.Linear(10, 20), nn.ReLU(), nn.Linear(20, 1))
optimizer = torch.optim.SGD(regressor.parameters(), lr=0.0000001)
for step in range(20):
    rows = slice(step % 5 * 16, step % 5 * 16 + 16)
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(regressor(x[rows]), y[rows])
    loss.backward()
    optimizer.step()  # <- update-ratio: the learning rate of 1e-07 is too small for SGD
