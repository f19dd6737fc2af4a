"""One of two losses is scaled, the other is not and is clipped."""

import torch
from torch import nn

torch.manual_seed(0)
a, b = nn.Linear(6, 1), nn.Linear(6, 1)
oa, ob = torch.optim.SGD(a.parameters(), lr=0.1), torch.optim.SGD(b.parameters(), lr=0.1)
scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)
for _ in range(8):
    x, y = torch.randn(16, 6), torch.randn(16, 1)
    oa.zero_grad()
    scaler.scale(nn.functional.mse_loss(a(x), y)).backward()
    scaler.step(oa)
    scaler.update()
    ob.zero_grad()
    nn.functional.l1_loss(b(x), y).backward()
    nn.utils.clip_grad_norm_(b.parameters(), 1.0)
    ob.step()
