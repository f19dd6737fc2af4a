"""The blocks are in an object whose class has forgotten to derive from nn.Module."""

import torch
from torch import nn

torch.manual_seed(9)


class Stack:
    def __init__(self, depth: int) -> None:
        self.layers = [nn.Linear(4, 4) for _ in range(depth)]
        self.gain = nn.Parameter(torch.ones(4))

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = x + torch.tanh(layer(x))
        return x * self.gain


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.stack = Stack(2)  # <- unregistered-parameter: stack is a plain object
        self.head = nn.Linear(4, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.stack(x))


model = Model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
x = torch.randn(24, 4)
for _ in range(20):
    optimizer.zero_grad()
    loss = nn.functional.smooth_l1_loss(model(x), x[:, :2].cos())
    loss.backward()
    optimizer.step()
