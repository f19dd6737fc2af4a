"""The scaler begins with a scale that fits."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
scaler = torch.amp.GradScaler("cpu", init_scale=2.0**6, growth_interval=100)
for _ in range(14):
    x = torch.randn(64, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        prediction = net(x)
    loss = (prediction.float() - x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
