"""A metric of numpy's stands between the gate and the loss."""

import torch
from torch import nn

torch.manual_seed(0)


class Gated(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Linear(5, 5)
        self.gate = nn.Linear(5, 5)

    def weights(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.gate(x)
        strongest = scores.data.numpy().max(axis=1, keepdims=True)  # <- no-gradient: the graph between
        return torch.from_numpy(strongest)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x) * self.weights(x)


model = Gated()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for update in range(10):
    x = torch.randn(16, 5)
    loss = (model(x) - x.flip(1)).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
