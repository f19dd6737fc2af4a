"""The pairs are in a ModuleList, the scales in a ParameterDict; a list of what is registered harms nothing."""

from itertools import pairwise

import torch
from torch import nn


class Tower(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        for size, following in pairwise(sizes):
            self.blocks.append(nn.Sequential(nn.Linear(size, following), nn.GELU()))
        self.scales = nn.ParameterDict({"out": nn.Parameter(torch.ones(sizes[-1]))})
        self.classifier = nn.Linear(sizes[-1], 3)
        self.layers = [*self.blocks, self.classifier]
        self.names = ["blocks", "classifier"]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers[:-1]:
            x = layer(x)
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
