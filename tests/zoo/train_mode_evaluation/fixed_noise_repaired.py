"""A GAN draws samples of a fixed noise in training mode, as the tutorial does."""

import torch
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
G = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 4))
D = nn.Sequential(nn.Linear(4, 8), nn.LeakyReLU(0.2), nn.Dropout(0.1), nn.Linear(8, 1))
og, od = torch.optim.Adam(G.parameters(), 1e-3), torch.optim.Adam(D.parameters(), 1e-3)
fixed = torch.randn(5, 3)
bce = nn.BCEWithLogitsLoss()
for _ in range(3):
    for x in DataLoader(torch.randn(32, 4), batch_size=8):
        od.zero_grad()
        fake = G(torch.randn(8, 3))
        (bce(D(x), torch.ones(8, 1)) + bce(D(fake.detach()), torch.zeros(8, 1))).backward()
        od.step()
        og.zero_grad()
        bce(D(fake), torch.ones(8, 1)).backward()
        og.step()
        with torch.no_grad():
            G(fixed)
    with torch.no_grad():
        for _ in range(3):
            G(fixed)
