"""One group for all: AdamW decays the weights of the layer norm too."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 1))
adamw = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.01)
x = torch.randn(16, 4)
for _ in range(10):
    adamw.zero_grad()
    loss = (net(x) - x.sum(1, keepdim=True)).square().mean()
    loss.backward()
    adamw.step()  # <- decay-on-norm: net.1.weight and net.1.bias
