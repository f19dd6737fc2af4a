"""The statistics of the model itself are computed anew over the loader."""

import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
net = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 6))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
loader = DataLoader(torch.randn(32, 6), batch_size=8)
for _ in range(3):
    for x in loader:
        opt.zero_grad()
        (net(x) - x).square().mean().backward()
        opt.step()
    torch.optim.swa_utils.update_bn(loader, net)
    net.eval()
    with torch.no_grad():
        for x in loader:
            net(x)
    net.train()
