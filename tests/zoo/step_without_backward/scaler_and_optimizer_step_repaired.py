"""The scaler makes the step, and nothing else does. (As in IAHispano/Applio#860, for the CPU.)"""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 16), nn.GELU(), nn.Linear(16, 1))
optimizer = torch.optim.AdamW(net.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu")
for update in range(12):
    x = torch.randn(16, 4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = (net(x).float() - x.sum(1, keepdim=True)).square().mean()
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    print(update, loss.item())
