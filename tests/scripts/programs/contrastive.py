"""The same model sees two views of a batch before the loss."""

import torch
from digest import report
from torch import nn

torch.manual_seed(6)
encoder = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.1)

for _ in range(3):
    image = torch.randn(6, 8)
    first = nn.functional.normalize(encoder(image + 0.1 * torch.randn_like(image)), dim=1)
    second = nn.functional.normalize(encoder(image + 0.1 * torch.randn_like(image)), dim=1)
    info_nce = nn.functional.cross_entropy(first @ second.T / 0.2, torch.arange(6))
    optimizer.zero_grad()
    info_nce.backward()
    optimizer.step()
    print(info_nce.item())

report(encoder, optimizer)
