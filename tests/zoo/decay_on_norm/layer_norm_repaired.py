"""The layer norm has a group of its own, without decay."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 1))
adamw = torch.optim.AdamW(
    [{"params": [*net[0].parameters(), *net[3].parameters()]}, {"params": net[1].parameters(), "weight_decay": 0.0}]
)
x = torch.randn(16, 4)
for _ in range(10):
    adamw.zero_grad()
    loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
    loss.backward()
    adamw.step()
