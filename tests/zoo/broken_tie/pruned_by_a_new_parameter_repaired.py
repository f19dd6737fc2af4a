"""An autoencoder whose decoder uses the encoder's weights; pruning writes in place."""

import torch
from torch import nn


class Auto(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Linear(8, 8)
        self.decode = nn.Linear(8, 8)
        self.decode.weight = self.encode.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decode(torch.tanh(self.encode(x)))


def prune(auto: Auto) -> None:
    with torch.no_grad():
        auto.encode.weight[auto.encode.weight.abs() <= 0.05] = 0


def main() -> None:
    torch.manual_seed(2)
    auto = Auto()
    x = torch.randn(16, 8)
    optimizer = torch.optim.AdamW(auto.parameters(), lr=1e-3)
    for update in range(20):
        optimizer.zero_grad()
        loss = (auto(x) - x).square().mean()
        loss.backward()
        optimizer.step()
        if update == 10:
            prune(auto)


main()
