"""The forward is recorded."""

import torch
from torch import nn

torch.manual_seed(0)
net = nn.Linear(3, 1)
optimizer = torch.optim.SGD(net.parameters(), lr=0.1)


def predict(x: torch.Tensor) -> torch.Tensor:
    return net(x)


for update in range(8):
    x = torch.randn(10, 3)
    output = predict(x)
    loss = (output - x.sum(1, keepdim=True)).abs().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    print(update, loss.item())
