"""Adam is given a learning rate that was right for another optimizer: each step is as large as the weights."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(96, 8)
y = (x[:, 0] > x[:, 1]).long()
model = nn.Sequential(nn.Linear(8, 32), nn.Tanh(), nn.Linear(32, 2))
optimizer = torch.optim.Adam(model.parameters(), lr=3.0)
for _ in range(5):
    for inputs, labels in zip(x.split(24), y.split(24), strict=True):
        loss = nn.functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()  # <- update-ratio: the learning rate of 3 is too large for Adam
