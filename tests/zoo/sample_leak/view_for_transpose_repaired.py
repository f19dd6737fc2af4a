"""A transpose exchanges channels and steps."""

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


class Mixer(nn.Module):
    def __init__(self, steps: int, width: int) -> None:
        super().__init__()
        self.embed = nn.Linear(3, width)
        self.over_time = nn.Linear(steps, 1)
        self.head = nn.Linear(width, 1)

    def forward(self, series: torch.Tensor) -> torch.Tensor:
        hidden = self.embed(series)
        hidden = hidden.transpose(1, 2)
        return self.head(torch.tanh(self.over_time(hidden)).squeeze(2))


series = torch.randn(64, 5, 3)
loader = DataLoader(TensorDataset(series, series.mean(dim=(1, 2))), batch_size=16)
mixer = Mixer(5, 8)
optimizer = torch.optim.Adam(mixer.parameters(), lr=1e-2)
for _ in range(5):
    for x, y in loader:
        guess = mixer(x)
        loss = nn.functional.mse_loss(guess.squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
