"""The error is squared by hand, of one prediction and its own target."""

import torch
from torch import nn

torch.manual_seed(0)


class Regression(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x).flatten()


def penalty(net: nn.Module) -> torch.Tensor:
    return sum(p.square().sum() for p in net.parameters())


net = Regression()
optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
data = torch.randn(32, 3)
labels = data.sum(1)
for _ in range(20):
    pred = net(data)
    mse = (pred - labels).pow(2).mean()
    loss = mse + 1e-4 * penalty(net)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
