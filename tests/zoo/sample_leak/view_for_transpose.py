"""A view is taken where a transpose was meant: channels and samples are exchanged by their place in memory."""

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
        samples, steps, width = hidden.shape
        hidden = hidden.permute(1, 2, 0).reshape(samples, width, steps)
        return self.head(torch.tanh(self.over_time(hidden)).squeeze(2))


series = torch.randn(64, 5, 3)
loader = DataLoader(TensorDataset(series, series.mean(dim=(1, 2))), batch_size=16)
mixer = Mixer(5, 8)
optimizer = torch.optim.Adam(mixer.parameters(), lr=1e-2)
for _ in range(5):
    for x, y in loader:
        guess = mixer(x)  # <- sample-leak: the first output in which they are mixed is that of mixer.over_time
        loss = nn.functional.mse_loss(guess.squeeze(1), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
