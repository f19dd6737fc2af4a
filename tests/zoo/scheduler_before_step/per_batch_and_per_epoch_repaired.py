"""A cosine schedule is moved for each batch."""

import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
loader = DataLoader(torch.randn(24, 6), batch_size=8)
auto = nn.Sequential(nn.Linear(6, 2), nn.Linear(2, 6))
optimizer = torch.optim.AdamW(auto.parameters(), lr=0.01)
cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=40)
for _ in range(6):
    for x in loader:
        optimizer.zero_grad()
        loss = (auto(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        cosine.step()
