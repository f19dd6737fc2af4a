"""The hidden layers are kept in a Python list: only the last one is trained."""

import torch
from torch import nn

torch.manual_seed(0)


class Regressor(nn.Module):
    def __init__(self, width: int, depth: int) -> None:
        super().__init__()
        self.hidden = [nn.Linear(width, width) for _ in range(depth)]  # <- unregistered-parameter: a Python list
        self.out = nn.Linear(width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.out(x)


model = Regressor(5, depth=3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
x = torch.randn(32, 5)
y = x.square().sum(1, keepdim=True)
for _ in range(25):
    optimizer.zero_grad()
    loss = nn.functional.mse_loss(model(x), y)
    loss.backward()
    optimizer.step()
