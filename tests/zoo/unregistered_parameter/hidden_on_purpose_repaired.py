"""What is in lists on purpose: a loss network in eval mode, layers that the optimizer is given by name, a noise that is
learnt anew for each batch.
"""

from itertools import chain

import torch
from torch import nn

torch.manual_seed(5)


class Perceptual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = [nn.Sequential(nn.Linear(6, 12), nn.ReLU()).eval().requires_grad_(False)]
        self.scale = torch.ones(1, requires_grad=True)

    def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return (self.features[0](a) - self.features[0](b)).square().mean() * self.scale


class Decoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.steps = [nn.Linear(6, 6), nn.Linear(6, 6)]
        self.out = nn.Linear(6, 6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for step in self.steps:
            x = x + torch.tanh(step(x)) if isinstance(step, nn.Linear) else x
        return self.out(x)


decoder, distance = Decoder(), Perceptual()
optimizer = torch.optim.Adam(chain(decoder.parameters(), *(step.parameters() for step in decoder.steps)), lr=0.01)
for _ in range(20):
    target = torch.randn(8, 6)
    delta = nn.Parameter(torch.zeros_like(target))
    optimizer.zero_grad()
    loss = distance(decoder(target + delta), target)
    loss.backward()
    optimizer.step()
