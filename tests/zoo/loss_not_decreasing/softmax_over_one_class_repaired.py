"""A network with one output ends in a sigmoid."""

import torch
from torch import nn

torch.manual_seed(0)
x = torch.randn(64, 6)
y = (x[:, :2].sum(dim=1, keepdim=True) > 0).float()
model = nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.Linear(12, 1), nn.Sigmoid())
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(20):
    rows = slice(step % 4 * 16, step % 4 * 16 + 16)
    optimizer.zero_grad()
    loss = nn.functional.binary_cross_entropy(model(x[rows]), y[rows])
    loss.backward()
    optimizer.step()
