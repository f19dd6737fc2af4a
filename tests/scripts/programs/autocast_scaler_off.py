"""Autocast to bfloat16 with a GradScaler that is there and disabled."""

import torch
from digest import report
from torch import nn

torch.manual_seed(17)
model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", enabled=False)

for _ in range(3):
    x = torch.randn(4, 8)
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x)
        loss = out.float().square().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(out.dtype, loss.item())

report(model, optimizer, scaler)
