"""A layer and its activation are appended pairwise, so the list holds lists; beside it a dict of bare parameters."""

from itertools import pairwise

import torch
from torch import nn


class Tower(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.blocks = []  # <- unregistered-parameter: tower.blocks is a Python list
        for size, following in pairwise(sizes):
            self.blocks.append([nn.Linear(size, following), nn.GELU()])
        self.scales = {"out": nn.Parameter(torch.ones(sizes[-1]))}  # <- unregistered-parameter: scales is a Python dict
        self.classifier = nn.Linear(sizes[-1], 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer, activation in self.blocks:
            x = activation(layer(x))
        return self.classifier(x * self.scales["out"])


def train(tower: Tower, steps: int) -> None:
    sgd = torch.optim.SGD(tower.parameters(), lr=0.1)
    for _ in range(steps):
        x = torch.randn(16, 4)
        loss = nn.functional.cross_entropy(tower(x), x[:, :3].argmax(1))
        sgd.zero_grad()
        loss.backward()
        sgd.step()


torch.manual_seed(2)
train(Tower([4, 8, 6]), 20)
