"""A GradScaler with autocast."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
for _ in range(10):
    x = torch.randn(16, 6)
    opt.zero_grad()
    with torch.autocast("cpu", torch.bfloat16):
        loss = (net(x) - x[:, :1]).square().mean()
    scaler.scale(loss).backward()
    scaler.step(opt)
    scaler.update()
