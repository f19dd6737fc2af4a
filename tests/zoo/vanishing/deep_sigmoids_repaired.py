"""Twelve layers with ReLU between them, initialised for it."""

import torch
from torch import nn

torch.manual_seed(0)
layers: list[nn.Module] = []
for _ in range(12):
    layers += [nn.Linear(16, 16), nn.ReLU()]
classifier = nn.Sequential(*layers, nn.Linear(16, 2))
for layer in classifier[:-1:2]:
    nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
optimizer = torch.optim.SGD(classifier.parameters(), lr=0.1)
points = torch.randn(64, 16)
sides = (points[:, 0] > 0).long()
for step in range(20):
    batch = slice(step % 4 * 16, step % 4 * 16 + 16)
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(classifier(points[batch]), sides[batch])
    loss.backward()
    optimizer.step()
