"""A layer is frozen after some updates; Adam's moments and its weight decay go on moving it."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=0.01, weight_decay=0.1)
x = torch.randn(16, 4)
y = x.sum(1, keepdim=True)
for update in range(20):
    if update == 8:
        net[0].requires_grad_(False)
    optimizer.zero_grad(set_to_none=False)
    loss = nn.functional.mse_loss(net(x), y)
    loss.backward()
    optimizer.step()  # <- frozen-but-moving: net.0.weight and net.0.bias are frozen
