"""GradScaler with unscale_ and clipping; the gradients of the second update are infinite, so its step is skipped."""

import torch
from digest import report
from torch import nn

torch.manual_seed(18)
model = nn.Linear(4, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
x = torch.randn(6, 4)

for i in range(3):
    optimizer.zero_grad()
    with torch.autocast("cpu"):
        loss = model(x).float().square().mean()
    if i == 1:
        loss = loss * 1e38
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    print(i, scaler.get_scale(), model.weight.sum().item())

report(model, optimizer, scaler)
