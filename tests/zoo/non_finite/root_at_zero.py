"""A contrastive loss takes the root of squared distances, and one pair is the same point: its slope there is NaN."""

import torch
from torch import nn

torch.manual_seed(0)


def distance(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    squared = (first - second).square().sum(dim=1)
    return squared.sqrt()  # <- non-finite: the result of sqrt is 0


encoder = nn.Sequential(nn.Linear(5, 12), nn.Tanh(), nn.Linear(12, 4))
optimizer = torch.optim.SGD(encoder.parameters(), lr=0.05)
left, right = torch.randn(16, 5), torch.randn(16, 5)
right[5] = left[5]
same = (torch.arange(16) % 2).float()
for _ in range(25):
    apart = distance(encoder(left), encoder(right))
    loss = (same * apart.square() + (1 - same) * (1 - apart).clamp(min=0).square()).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
