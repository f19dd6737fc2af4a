"""An autoencoder whose decoder uses the encoder's weights; pruning puts a new Parameter into the encoder alone."""

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
    kept = auto.encode.weight.detach()
    auto.encode.weight = nn.Parameter(torch.where(kept.abs() > 0.05, kept, torch.zeros_like(kept)))


def main() -> None:
    torch.manual_seed(2)
    auto = Auto()
    x = torch.randn(16, 8)
    optimizer = torch.optim.AdamW(auto.parameters(), lr=1e-3)
    for update in range(20):
        optimizer.zero_grad()
        loss = (auto(x) - x).square().mean()
        loss.backward()
        optimizer.step()  # <- broken-tie: auto.encode.weight and auto.decode.weight were one tensor
        if update == 10:
            prune(auto)
            optimizer = torch.optim.AdamW(auto.parameters(), lr=1e-3)


main()
