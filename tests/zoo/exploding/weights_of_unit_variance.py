"""A deep network whose weights begin with a standard deviation of 1, whatever their number of inputs."""

import torch
from torch import nn

torch.manual_seed(0)


def build(width: int, depth: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(depth):
        layer = nn.Linear(width, width)
        nn.init.normal_(layer.weight, std=1.0)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 1))


deep = build(64, 8)
optimizer = torch.optim.Adam(deep.parameters(), lr=1e-4)
for _ in range(20):
    x = torch.randn(32, 64)
    prediction = deep(x)  # <- exploding: the weights are too large for their number of inputs
    loss = nn.functional.l1_loss(prediction, x[:, :1])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
