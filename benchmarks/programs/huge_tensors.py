"""Holds a billion elements twice, and trains something small beside them."""

import torch
from torch import nn


def main() -> None:
    """Three updates."""
    bytes_ = torch.zeros(1_000_000_000, dtype=torch.uint8).view(1_000, 1_000, 1_000)
    expanded = torch.full((1,), 0.5).expand(1_000_000_000)
    model = nn.Linear(4, 2)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = model(torch.ones(3, 4)).sum()
        loss.backward()
        optimizer.step()
    print(bytes_.shape, expanded.shape)


main()
